// A fleet of simulated machines around the real scheduler, in simulated time: no task is run, each only takes as long
// as it was dealt. The machines follow orders as a worker does (test/schedule/fake-worker.ts).
import type { AttemptDone, WorkerReport } from "../../../src/protocol/messages.ts";
import { createScheduler } from "../../../src/schedule/scheduler.ts";
import { Heap } from "../../../src/schedule/state/heap.ts";
import { attemptKey } from "../../../src/schedule/state/task.ts";
import type { Scheduler } from "../../../src/schedule/step.ts";
import { done, failed, options, plan, spec, text } from "../../../test/schedule/build.ts";
import { FakeWorker } from "../../../test/schedule/fake-worker.ts";

export interface Setting {
  readonly workers: number;
  readonly slots: number;
  readonly maps: number;
  readonly reduces: number;
  readonly mapMs: number;
  readonly reduceMs: number;
  /** The share of a reduce's time in which it fetches: this much is done again wherever it goes on. */
  readonly fetchShare: number;
  /** "none"; "worker": on the disk of the worker; "shared": where all workers find them. */
  readonly checkpoints: "none" | "worker" | "shared";
  readonly checkpointMs: number;
  readonly hasBackups: boolean;
  /** A number from 0 to 1. */
  readonly random: () => number;
  /** How many times the usual time a task takes: drawn for each. */
  readonly ratio: () => number;
  /** How many times slower this machine is than others. */
  readonly slowness: () => number;
}

export interface Outcome {
  /** "succeeded", or how it ended instead. */
  readonly outcome: string;
  readonly ms: number;
  readonly attempts: number;
  /** What attempts had worked that ended without a result, and was not gone on from, in ms of a slot. */
  readonly lostMs: number;
}

interface Running {
  readonly key: string;
  readonly phase: "plan" | "map" | "reduce";
  readonly index: number;
  readonly from: number;
  /** The work of the whole task, and what was done of it before, in ms on a usual machine. */
  readonly work: number;
  readonly before: number;
  /** What has to be done again before it goes on. */
  readonly again: number;
}

type Event = { readonly at: number; readonly order: number; readonly act: () => void };

/** Reports go out this often, as those of a worker do. */
const heartbeatMs = 3_000;
const leaseMs = 10_000;
/** An attempt that goes on from a checkpoint reads it first. */
const resumeMs = 1_000;
/** A worker that leaves hands back what still runs, this long before it is gone. */
const handBackMs = 10_000;
/** A reduce that can't fetch tries for this long. */
const fetchTriesMs = 8_000;

export class Fleet {
  readonly #setting: Setting;
  readonly #scheduler: Scheduler;
  readonly #events = new Heap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  readonly #machines = new Map<string, Machine>();
  readonly #work = new Map<string, number>();
  /** Shared checkpoints: what is saved of each task. */
  readonly saved = new Map<string, number>();
  #order = 0;
  #names = 0;
  #attempts = 0;
  lostMs = 0;
  now = 0;
  #ended: string | undefined;

  constructor(setting: Setting) {
    this.#setting = setting;
    const backupSlowdown = setting.hasBackups ? options.backupSlowdown : Infinity;
    this.#scheduler = createScheduler(1, { ...options, leaseMs, backupSlowdown }, 0);
    for (let index = 0; index < setting.workers; index++) this.add();
    const checkpointMs = setting.checkpoints === "none" ? 0 : setting.checkpointMs;
    this.step({ kind: "job-submitted", job: "j", idempotencyKey: "k", spec: spec({ checkpointMs }) });
  }

  get setting(): Setting {
    return this.#setting;
  }

  /** All machines that work, in the order in which they came. */
  get machines(): readonly Machine[] {
    return [...this.#machines.values()];
  }

  add(): Machine {
    const machine = new Machine(this, `w${this.#names++}`);
    this.#machines.set(machine.id, machine);
    machine.report();
    return machine;
  }

  remove(machine: Machine): void {
    machine.stop();
    this.#machines.delete(machine.id);
  }

  machine(id: string): Machine | undefined {
    return this.#machines.get(id);
  }

  at(at: number, act: () => void): void {
    this.#events.push({ at, order: this.#order++, act });
  }

  /** The work of a task, the same in each attempt. */
  workOf(phase: "plan" | "map" | "reduce", index: number): number {
    const name = `${phase}/${index}`;
    let work = this.#work.get(name);
    if (work === undefined) {
      const { mapMs, reduceMs, ratio } = this.#setting;
      work = phase === "plan" ? 100 : (phase === "map" ? mapMs : reduceMs) * ratio();
      this.#work.set(name, work);
    }
    return work;
  }

  step(event: Parameters<Scheduler["step"]>[0]): void {
    const { commands, facts, wakeAt } = this.#scheduler.step(event, this.now);
    for (const fact of facts) if (fact.kind === "attempt-started") this.#attempts++;
    for (const command of commands) {
      if (command.kind === "send-orders") this.#machines.get(command.worker)?.follow(command.orders);
      else if (command.kind === "look-at-files")
        this.step({ kind: "files-looked-at", job: command.job, look: command.look, lost: [] });
      else if (command.kind === "publish-output") this.step({ kind: "output-published", job: "j" });
    }
    for (const fact of facts) if (fact.kind === "job-ended") this.#ended ??= fact.outcome;
    if (wakeAt !== undefined && (this.#wakeAt === undefined || wakeAt < this.#wakeAt)) {
      this.#wakeAt = wakeAt;
      this.at(Math.max(wakeAt, this.now), () => {
        if (this.#wakeAt !== wakeAt) return;
        this.#wakeAt = undefined;
        this.step({ kind: "clock-ticked" });
      });
    }
  }
  #wakeAt: number | undefined;

  ordersFor(id: string): ReturnType<Scheduler["ordersFor"]> {
    return this.#scheduler.ordersFor(id);
  }

  /** Runs the job to its end, but no longer than that; `disturb` may ask for events before. */
  run(disturb: (fleet: Fleet) => void, msMax = Number.POSITIVE_INFINITY): Outcome {
    disturb(this);
    while (this.#ended === undefined) {
      if (this.now > msMax) return { outcome: "not over", ms: this.now, attempts: this.#attempts, lostMs: this.lostMs };
      const event = this.#events.pop();
      if (event === undefined) throw new Error("the job can't end");
      this.now = event.at;
      event.act();
    }
    return { outcome: this.#ended, ms: this.now, attempts: this.#attempts, lostMs: this.lostMs };
  }
}

export class Machine {
  readonly #fleet: Fleet;
  readonly #worker: FakeWorker;
  readonly #slowness: number;
  readonly #running = new Map<string, Running>();
  readonly #saved = new Map<string, number>();
  #life = 0;
  #sent: WorkerReport | undefined;
  #isUp = true;
  #leavesAt: number | undefined;
  #beat = 0;

  constructor(fleet: Fleet, id: string) {
    this.#fleet = fleet;
    this.#worker = new FakeWorker(id, fleet.setting.slots);
    this.#slowness = fleet.setting.slowness();
    this.#worker.copy = ({ run, from }) => {
      const found = fleet.machine(from)?.runs.get(attemptKey(run.writtenBy));
      return found ?? "it is not there";
    };
    this.#worker.left = () => fleet.remove(this);
  }

  get id(): string {
    return this.#worker.id;
  }

  get runs(): FakeWorker["runs"] {
    return this.#worker.runs;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  report(): void {
    if (!this.#isUp) return;
    const report = this.#worker.report();
    const running = report.running.map((one) => {
      const key = attemptKey(one.attempt);
      const { before, work, again } = this.#running.get(key)!;
      const runningMs = this.#elapsed(key);
      const here = Math.max(0, runningMs / this.#slowness - again);
      const saved = this.#savedOf(key) ?? 0;
      return {
        ...one,
        runningMs,
        bytes: Math.floor((100 * Math.min(work, before + here)) / work),
        ...(saved > 0 && { hasCheckpoint: true as const }),
      };
    });
    const leaves = this.#leavesAt === undefined ? {} : { leavesInMs: this.#leavesAt - this.#fleet.now };
    this.#sent = { ...report, running, ...leaves };
    this.#fleet.step({ kind: "worker-heard", report: this.#sent });
    this.#beatLater();
  }

  #beatLater(): void {
    const beat = ++this.#beat;
    const life = this.#life;
    this.#fleet.at(this.#fleet.now + heartbeatMs, () => {
      if (beat !== this.#beat || life !== this.#life || !this.#isUp) return;
      this.follow(this.#fleet.ordersFor(this.id));
      this.report();
    });
  }

  follow(orders: Parameters<FakeWorker["follow"]>[0]): void {
    const sent = this.#sent;
    if (!this.#isUp || sent === undefined) return;
    this.#sent = undefined;
    this.#worker.follow(orders, sent);
    const life = this.#life;
    let hasNews = this.#worker.offered.length > 0 || orders.holders.length > 0 || orders.settle.length > 0;
    for (const [key] of this.#running) {
      if (this.#worker.running.has(key)) continue;
      hasNews = true;
      this.#giveUp(key);
    }
    for (const [key, { assignment }] of this.#worker.running) {
      if (this.#running.has(key)) continue;
      hasNews = true;
      this.#begin(key, assignment.attempt.phase, assignment.attempt.index);
    }
    if (hasNews || this.#worker.hasAnswer)
      this.#fleet.at(this.#fleet.now + 5, () => life === this.#life && this.report());
  }

  #begin(key: string, phase: "plan" | "map" | "reduce", index: number): void {
    const fleet = this.#fleet;
    const { checkpoints, fetchShare } = fleet.setting;
    const work = fleet.workOf(phase, index);
    const name = `${phase}/${index}`;
    const saved = (checkpoints === "shared" ? fleet.saved : this.#saved).get(name) ?? 0;
    const before = checkpoints === "none" ? 0 : saved;
    const again = before === 0 ? 0 : resumeMs + (phase === "reduce" ? work * fetchShare : 0);
    this.#running.set(key, { key, phase, index, from: fleet.now, work, before, again });
    const life = this.#life;
    fleet.at(fleet.now + (work - before + again) * this.#slowness, () => {
      if (life === this.#life && this.#worker.running.has(key)) this.#finish(key);
    });
  }

  #elapsed(key: string): number {
    return this.#fleet.now - this.#running.get(key)!.from;
  }

  /** What is saved of a running attempt's task by now; undefined: nothing new. */
  #savedOf(key: string): number | undefined {
    const { checkpoints, checkpointMs, fetchShare } = this.#fleet.setting;
    if (checkpoints === "none") return undefined;
    const { phase, work, before, again } = this.#running.get(key)!;
    if (phase === "plan") return undefined;
    const elapsed = Math.floor(this.#elapsed(key) / checkpointMs) * checkpointMs;
    let here = elapsed / this.#slowness - again;
    // What a reduce has fetched is not saved; nor does it make a checkpoint before it has reduced something.
    if (phase === "reduce" && before === 0) here -= work * fetchShare;
    return here <= 0 ? undefined : before + here;
  }

  #giveUp(key: string): void {
    const { phase, index, before } = this.#running.get(key)!;
    const saved = this.#savedOf(key);
    const { checkpoints } = this.#fleet.setting;
    const name = `${phase}/${index}`;
    const kept = checkpoints === "shared" ? this.#fleet.saved : this.#saved;
    if (saved !== undefined) kept.set(name, Math.max(saved, kept.get(name) ?? 0));
    const savedMs = saved === undefined ? 0 : (saved - before) * this.#slowness;
    this.#fleet.lostMs += this.#elapsed(key) - savedMs;
    this.#running.delete(key);
  }

  #finish(key: string): void {
    const { assignment } = this.#worker.running.get(key)!;
    const wallMs = Math.max(1, this.#elapsed(key));
    const { maps, reduces } = this.#fleet.setting;
    const result = done(assignment, { plan: plan(maps, reduces) }) as AttemptDone;
    this.#running.delete(key);
    this.#worker.finish(key, { ...result, stats: { ...result.stats, wallMs } });
    this.report();
  }

  /** Reduces that still fetch from a machine that is gone fail once they have tried for long enough. */
  miss(holder: Machine): void {
    const { fetchShare } = this.#fleet.setting;
    const life = this.#life;
    for (const [key, { phase, work }] of this.#running) {
      if (phase !== "reduce" || this.#elapsed(key) > work * fetchShare * this.#slowness) continue;
      const holders = this.#worker.running.get(key)?.holders;
      const run = holders?.workers.find(({ worker }) => worker === holder.id)?.runs[0];
      if (run === undefined) continue;
      this.#fleet.at(this.#fleet.now + fetchTriesMs, () => {
        if (life !== this.#life || !this.#worker.running.has(key) || holder.isUp) return;
        this.#giveUp(key);
        const { attempt } = this.#worker.running.get(key)!.assignment;
        const error = text(`${holder.id} does not answer`, "unreachable");
        const reason = { kind: "segment-lost", how: "unreachable", map: run.writtenBy, error } as const;
        this.#worker.finish(key, failed(attempt, reason));
        this.report();
      });
    }
  }

  stop(): void {
    for (const key of [...this.#running.keys()]) this.#giveUp(key);
    this.#life++;
    this.#isUp = false;
    this.#sent = undefined;
    for (const other of this.#fleet.machines) if (other !== this && other.isUp) other.miss(this);
  }

  /** Its process dies, and is started again a little later on the same machine, with its disk. */
  restart(afterMs: number): void {
    this.stop();
    this.#fleet.at(this.#fleet.now + afterMs, () => {
      this.#isUp = true;
      this.#worker.restart();
      this.report();
    });
  }

  /** It is gone, with its disk; another machine comes in its place. */
  vanish(afterMs: number): void {
    this.#fleet.remove(this);
    this.#fleet.at(this.#fleet.now + afterMs, () => void this.#fleet.add());
  }

  /** It has notice that it will be gone, and hands over, while another machine comes in its place. */
  drain(withinMs: number): void {
    const { now } = this.#fleet;
    const life = this.#life;
    this.#worker.isDraining = true;
    this.#leavesAt = now + withinMs;
    this.report();
    this.#fleet.add();
    this.#fleet.at(now + withinMs - handBackMs, () => {
      if (life !== this.#life) return;
      for (const key of [...this.#running.keys()]) {
        this.#giveUp(key);
        this.#worker.running.delete(key);
      }
      this.report();
    });
    this.#fleet.at(now + withinMs, () => life === this.#life && this.#fleet.remove(this));
  }
}
