// Whole reports with something in them that can't be, as whoever has a worker's token may send them: valid ones, as
// JSON, with a few fields changed, in front of the real scheduler and its store. What is not refused must throw
// nowhere, must not touch a job that the sender has no attempt of, and must leave records that the next master recovers
// the same state from.
import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { assertEqual, durable } from "../../test/schedule/bookkeeping.ts";
import { done, options, plan, report, spec } from "../../test/schedule/build.ts";
import { FakeWorker } from "../../test/schedule/fake-worker.ts";
import { apply, recordsOf } from "../../test/schedule/world.ts";
import type { JobId } from "../base/ids.ts";
import { seededRandom } from "../base/system/random.ts";
import type { AttemptDone, WorkerReport } from "../protocol/messages.ts";
import { decodeReport, encodeReport } from "../wire/convert.ts";
import { fromReport, toReport } from "../wire/convert-worker.ts";
import { WorkerReportSchema } from "../wire/gen/millrace/v1/worker_pb.ts";
import { ordersFor } from "./assign/orders.ts";
import { recoverCluster } from "./recover.ts";
import { stepCluster } from "./scheduler.ts";
import type { Cluster } from "./state/state.ts";
import type { SchedulerEvent } from "./step.ts";
import { viewOf } from "./view.ts";

const runs = Number(process.env["MILLRACE_FUZZ"] ?? 60);

/** Nothing that a field of a report may be, and what it may be elsewhere. */
const hostile: readonly JsonValue[] = [
  0,
  1,
  -1,
  4294967295,
  60_000_000,
  "9007199254740991",
  "9007199254740992",
  "18446744073709551615",
  "NaN",
  "Infinity",
  1.5,
  "",
  "x".repeat(70_000),
  "\u001b[2J\u202e",
  "half \ud800",
  "zero \0",
  "../../etc/passwd",
  "/etc/passwd",
  "__proto__",
  "good",
  "evil",
  "map",
  "reduce",
  "none",
  "AA==",
  true,
  [],
  {},
];

/** The same, with the groups that a map or a reduce reports. */
function withGroups(result: AttemptDone): AttemptDone {
  if (result.attempt.phase === "plan") return result;
  const groups = [{ key: '"the"', hash: 7, pairs: 5 }];
  return { ...result, largestGroups: { groups, othersMax: 3, isEstimate: true } };
}

interface Seen {
  readonly refused: number;
  readonly heard: number;
  readonly lies: number;
  readonly untouched: number;
}

class Siege {
  readonly #random: () => number;
  readonly #store = new Map<string, Uint8Array>();
  readonly #good = new FakeWorker("good", 1);
  readonly #evil = new FakeWorker("evil", 1);
  /** Jobs that the evil worker was given an attempt of. */
  readonly #touched = new Set<JobId>();
  #cluster: Cluster;
  #epoch = 2;
  #now = 0;
  #refused = 0;
  #heard = 0;
  #lies = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed, 1);
    this.#cluster = this.#recovered();
  }

  run(): Seen {
    this.#submit("evil");
    this.#say(this.#evil, this.#evil.report());
    this.#submit("good");
    for (let round = 0; round < 30; round++) {
      this.#now += 500;
      this.#work(this.#good);
      this.#say(this.#good, this.#good.report());
      this.#work(this.#evil);
      this.#lie();
      if (this.#random() < 0.05) this.#failOver();
    }
    for (let round = 0; round < 40 && this.#stateOf("good") !== "succeeded"; round++) {
      this.#now += 500;
      this.#work(this.#good);
      this.#say(this.#good, this.#good.report());
    }
    const isUntouched = !this.#touched.has("good");
    if (isUntouched) expect(this.#stateOf("good")).toBe("succeeded");
    return { refused: this.#refused, heard: this.#heard, lies: this.#lies, untouched: isUntouched ? 1 : 0 };
  }

  #submit(job: JobId): void {
    // One slot at a time, which the good worker nearly always has: then the other one has no part in it.
    const maxSlots = job === "good" ? 1 : undefined;
    const submitted = spec({ output: `/${job}`, skipBad: 3, maxSlots });
    this.#step({ kind: "job-submitted", job, idempotencyKey: job, spec: submitted });
  }

  #work(worker: FakeWorker): void {
    for (const [key, { assignment }] of [...worker.running]) {
      if (this.#random() < (worker === this.#good ? 0.7 : 0.3))
        worker.finish(key, withGroups(done(assignment, { plan: plan(assignment.attempt.job === "good" ? 3 : 9, 2) })));
    }
  }

  #say(worker: FakeWorker, said: WorkerReport): void {
    this.#step({ kind: "worker-heard", report: decodeReport(encodeReport(said)) });
    this.#follow(worker, said);
  }

  #follow(worker: FakeWorker, said: WorkerReport): void {
    worker.follow(ordersFor(this.#cluster, worker.id), said);
  }

  #lie(): void {
    const truth = this.#evil.report();
    const offered = [...this.#evil.runs.values()];
    const json = toJson(WorkerReportSchema, create(WorkerReportSchema, toReport({ ...truth, offered })));
    for (let changes = 1 + this.#pick(2); changes > 0; changes--) this.#change(json);
    let said: WorkerReport;
    try {
      said = fromReport(fromJson(WorkerReportSchema, JSON.parse(JSON.stringify(json)) as JsonValue));
    } catch {
      this.#refused++;
      return;
    }
    // Somebody else's name may be anybody's who has the token.
    if (said.worker === "good") return;
    this.#heard++;
    this.#step({ kind: "worker-heard", report: said });
    this.#follow(this.#evil, truth);
  }

  /** One place anywhere in it, or one element of a list once more. */
  #change(json: JsonValue): void {
    const holders: { readonly of: Record<string, JsonValue> | JsonValue[]; readonly key: string }[] = [];
    const look = (value: JsonValue) => {
      if (typeof value !== "object" || value === null) return;
      for (const key of Object.keys(value)) {
        holders.push({ of: value as Record<string, JsonValue>, key });
        look((value as Record<string, JsonValue>)[key]!);
      }
    };
    look(json);
    const { of, key } = holders[this.#pick(holders.length)]!;
    if (Array.isArray(of) && this.#random() < 0.3) of.push(structuredClone(of[Number(key)]!));
    else (of as Record<string, JsonValue>)[key] = hostile[this.#pick(hostile.length)]!;
  }

  #step(event: SchedulerEvent): void {
    if (this.#cluster.wakeAt !== undefined && this.#cluster.wakeAt <= this.#now) this.#take({ kind: "clock-ticked" });
    this.#take(event);
  }

  #take(event: SchedulerEvent): void {
    const { changes, commands, facts } = stepCluster(this.#cluster, event, this.#now);
    apply(this.#store, changes);
    for (const fact of facts) {
      if (!("attempt" in fact) || fact.worker === "good") continue;
      if (fact.kind === "attempt-started" || fact.kind === "attempt-adopted") this.#touched.add(fact.attempt.job);
      if (fact.kind === "attempt-failed" && fact.error.code === "bad-report") this.#lies++;
    }
    if (changes.length > 0) assertEqual(durable(this.#recovered()), durable(this.#cluster));
    for (const command of commands) {
      if (command.kind === "look-at-files")
        this.#take({ kind: "files-looked-at", job: command.job, look: command.look, lost: [] });
      if (command.kind === "publish-output") this.#take({ kind: "output-published", job: command.decision.job });
    }
  }

  #recovered(): Cluster {
    return recoverCluster(recordsOf(this.#store), this.#epoch, options, this.#now);
  }

  #failOver(): void {
    this.#epoch++;
    this.#cluster = this.#recovered();
    this.#take({ kind: "clock-ticked" });
  }

  #stateOf(job: JobId): string | undefined {
    return viewOf(this.#cluster).jobs.find((view) => view.job === job)?.state;
  }

  #pick(below: number): number {
    return Math.floor(this.#random() * below);
  }
}

test("whatever a report says, nothing is thrown, no other job notices, and the next master recovers the same state", () => {
  const seen = { refused: 0, heard: 0, lies: 0, untouched: 0 };
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const { refused, heard, lies, untouched } = new Siege(seed).run();
      seen.refused += refused;
      seen.heard += heard;
      seen.lies += lies;
      seen.untouched += untouched;
    }),
    { numRuns: runs, seed: 11, endOnFailure: true },
  );
  if (process.env["MILLRACE_FUZZ"] !== undefined) console.log(seen);
  // "Nothing failed" must not mean that nothing got through, nor that nothing was a lie.
  expect(seen.refused).toBeGreaterThan(runs);
  expect(seen.heard).toBeGreaterThan(runs);
  expect(seen.lies).toBeGreaterThan(runs / 20);
  expect(seen.untouched).toBeGreaterThan(runs / 20);
});

test("a lie of one field ends its own job, naming the worker, and a report that can't be one is refused", () => {
  expect(() => fromReport(create(WorkerReportSchema, toReport(report("../../etc", 1))))).toThrow("a worker's name is");
  expect(() => fromReport(create(WorkerReportSchema, toReport(report("w", 1, { slots: 4294967295 }))))).toThrow(
    "slots",
  );
});
