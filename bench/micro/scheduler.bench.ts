// The scheduler alone, without I/O: decisions per second with many tasks and workers, bytes of heap per task, time to
// recover, and the cost of single calls at that size.
//
//   node bench/micro/run.mjs scheduler            # 1,000,000 map tasks, 1,000 reduces, 10,000 workers
//   MAPS=100000 WORKERS=1000 node bench/micro/run.mjs scheduler
//
// Times are CPU times of the whole process, garbage collection included. A decision is a step that takes a result and
// gives the worker its next task; its changes are encoded as they are stored.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Assignment, WorkerReport } from "../../src/protocol/messages.ts";
import { createScheduler, recoverScheduler } from "../../src/schedule/scheduler.ts";
import type { Scheduler } from "../../src/schedule/step.ts";
import type { StoredRecord } from "../../src/state/store.ts";
import { encodePlan } from "../../src/wire/stored/plans.ts";
import { done, options, plan, report, spec } from "../../test/schedule/build.ts";

const maps = Number(process.env["MAPS"] ?? 1_000_000);
const reduces = Number(process.env["REDUCES"] ?? 1_000);
const workers = Number(process.env["WORKERS"] ?? 10_000);
setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** Keeps values as a store would: outside of the heap that is measured. */
class Kept {
  readonly #keys = new Map<string, number>();
  readonly #pages: Buffer[] = [];
  readonly #holders: { page: number; start: number; end: number }[] = [];
  #used = 0;

  put({ key, value }: StoredRecord): void {
    let page = this.#pages.at(-1);
    if (page === undefined || this.#used + value.length > page.length) {
      page = Buffer.alloc(Math.max(16 << 20, value.length));
      this.#pages.push(page);
      this.#used = 0;
    }
    page.set(value, this.#used);
    const at = this.#keys.get(key) ?? this.#holders.length;
    this.#keys.set(key, at);
    this.#holders[at] = { page: this.#pages.length - 1, start: this.#used, end: this.#used + value.length };
    this.#used += value.length;
  }

  *records(): Iterable<StoredRecord> {
    for (const key of [...this.#keys.keys()].sort()) {
      const { page, start, end } = this.#holders[this.#keys.get(key)!]!;
      yield { key, value: this.#pages[page]!.subarray(start, end) };
    }
  }
}

class Fleet {
  readonly #sequence = new Map<string, number>();
  readonly given = new Map<string, Assignment>();
  readonly store = new Kept();
  scheduler: Scheduler;
  now = 0;
  storedBytes = 0;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  step(event: Parameters<Scheduler["step"]>[0]): void {
    const { changes, commands } = this.scheduler.step(event, this.now);
    for (const change of changes) {
      if (!("put" in change)) continue;
      this.storedBytes += change.put.value.length;
      this.store.put(change.put);
    }
    for (const command of commands) {
      if (command.kind !== "send-orders") continue;
      for (const assignment of command.orders.start) this.given.set(command.worker, assignment);
    }
  }

  /** Reports that the worker's tasks are done, and asks for more. */
  hear(worker: string, change: Partial<WorkerReport> = {}): boolean {
    const sequence = (this.#sequence.get(worker) ?? 0) + 1;
    this.#sequence.set(worker, sequence);
    const assignment = this.given.get(worker);
    this.given.delete(worker);
    const finished = assignment === undefined ? [] : [done(assignment, { plan: bigPlan })];
    const held = { holdersKnown: { j: { mapVersion: 1, runs: maps } }, ...change };
    this.step({ kind: "worker-heard", report: report(worker, sequence, { finished, ...held }) });
    return assignment !== undefined;
  }
}

/** Files of a thousand splits each. */
const bigPlan = {
  ...plan(Math.ceil(maps / 1000), reduces),
  splits: Array.from({ length: maps }, (_, index) => {
    const start = (index % 1000) * 64e6;
    return [{ file: Math.floor(index / 1000), start, end: start + 64e6 }];
  }),
};
const names = Array.from({ length: workers }, (_, index) => `worker-${index}`);

function heap(): number {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

function say(what: string, value: number, unit: string): void {
  console.log(`${what.padEnd(58)} ${value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2)} ${unit}`);
}

/** Measured in CPU time of all threads, as others may use the machine as well. */
function timed<T>(work: () => T): { readonly ms: number; readonly result: T } {
  const from = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(from);
  return { ms: (user + system) / 1000, result };
}

const encoded = encodePlan(bigPlan, 256 << 10);
say("plan as stored", encoded.reduce((sum, chunk) => sum + chunk.length, 0) / 1e6, "MB");
const fleet = new Fleet(createScheduler(1, options, 0));
fleet.step({ kind: "job-submitted", job: "j", idempotencyKey: "k", spec: spec() });
const before = heap();
fleet.hear(names[0]!);
say("the plan's step", timed(() => fleet.hear(names[0]!)).ms, "ms");
for (const name of names.slice(1)) fleet.hear(name);
say("bytes of heap per task that waits", (heap() - before) / maps, "bytes");

let decisions = 0;
let msSum = 0;
let worst = 0;
const rounds = Math.ceil(maps / workers);
for (let round = 0; round < rounds; round++) {
  fleet.now += 1000;
  const { ms } = timed(() => {
    for (const name of names) {
      const from = performance.now();
      if (fleet.hear(name)) decisions++;
      worst = Math.max(worst, performance.now() - from);
    }
  });
  msSum += ms;
}
say("map decisions", (decisions / msSum) * 1000, "per second");
say("slowest step (wall clock)", worst, "ms");
say("bytes stored per decision", fleet.storedBytes / decisions, "bytes");
say("bytes of heap per task that was won", (heap() - before) / maps, "bytes (this program's keys included)");
say("view, after a change", timed(() => fleet.scheduler.view()).ms, "ms");
say("view, again", timed(() => fleet.scheduler.view()).ms, "ms");
{
  const name = [...fleet.given.keys()][0]!;
  const pages = Math.ceil(maps / 16_384);
  fleet.given.delete(name);
  fleet.hear(name, { holdersKnown: {} });
  say("holders, first page", timed(() => fleet.scheduler.ordersFor(name)).ms, "ms");
  const { ms } = timed(() => {
    for (let page = 0; page < pages; page++) {
      fleet.given.delete(name);
      fleet.hear(name, { holdersKnown: { j: { mapVersion: 1, runs: page * 16_384 } } });
      fleet.scheduler.ordersFor(name);
    }
  });
  say("holders, a page", ms / pages, "ms");
}
const records = [...fleet.store.records()];
fleet.scheduler = createScheduler(1, options, 0);
fleet.given.clear();
const beside = heap();
const recovered = timed(() => recoverScheduler(records, 2, options, fleet.now));
say("recovery", recovered.ms / 1000, "s");
const { result: next } = recovered;
say("first view after it", timed(() => next.view()).ms, "ms");
say("bytes of heap per task, recovered", (heap() - beside) / maps, "bytes");
