// The agent: keeps slots busy, leases alive, and map outputs until their job ends. It never runs user code, so nothing that a
// job does delays a heartbeat.
//
// It makes one call, again and again: a report of all it knows, answered by all it must do (DESIGN 5.2). A report with news is
// sent at once; the master then ends the older call. Replies may come twice, late or in another order: every order is one
// that may be repeated, an attempt id is started once and never again, and orders of an epoch lower than the highest seen are
// not followed.
import type { Clock } from "../base/clock.ts";
import { failpoint } from "../base/failpoint.ts";
import { type AttemptId, attemptName, type Instant, type JobId, type WorkerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { JobDescription } from "../job/describe.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Heartbeats } from "../rpc/memory-transport.ts";
import type { Assignment, AttemptResult, FailureText, Places, WorkerOrders, WorkerReport } from "../rpc/messages.ts";
import { heldOf, isWhole, joinPlaces } from "../rpc/places.ts";
import type { RunRef } from "../sort/run.ts";
import type { Budget } from "./budget.ts";
import type { RunStore } from "./run-store.ts";
import { type Running, RunningAttempts } from "./running.ts";
import type { Bundle, TaskSlot } from "./slot.ts";
import { SlotPool } from "./slot-pool.ts";

export interface AgentOptions {
  readonly worker: WorkerId;
  /** Grows with each start of this worker. */
  readonly incarnation: number;
  readonly address: string;
  readonly master: Heartbeats;
  readonly clock: Clock;
  readonly budget: Budget;
  readonly runs: RunStore;
  /** 0 <= x < 1: jitter, so that workers that lost the same master don't come back in step. */
  readonly random: () => number;
  /** Starts a process; `name` is unique within this agent's life. */
  readonly openSlot: (name: string) => TaskSlot;
  /** False: each attempt gets a process of its own, which nothing of an earlier one is left in. Default true. */
  readonly reuseSlots?: boolean | undefined;
  /** The code of a job, fetched or built already. */
  readonly bundle: (spec: JobSpec) => Promise<Bundle>;
  /** Told of each assignment that is begun. */
  readonly onStart?: (assignment: Assignment) => void;
  /** Verified runs left by an earlier incarnation. */
  readonly offered?: WorkerReport["offered"];
  /** Memory that a process holds; for tests. */
  readonly residentBytes?: (pid: number) => number | undefined;
}

export interface Agent {
  /** Starts slots, and loads the bundle into them, before there is anything to do, so that it is over when there is. */
  prestart(slots: number, bundle?: Bundle): void;
  /** What a bundle says of its job. The slot that answered goes on to run the job's first attempt. */
  describe(bundle: Bundle): Promise<JobDescription>;
  /** Finishes what runs and takes nothing new; resolves when the last result is acknowledged. */
  drain(): Promise<void>;
  /** Kills all slots and ends the calls. Files stay: who owns the directories removes them. */
  close(): Promise<void>;
}

/** Between two looks at the memory of slots and at the lease. */
const watchMs = 250;
/** Until a revoked attempt that does not end by itself is killed. */
const stopGraceMs = 500;
/** After a call that failed: doubled up to the heartbeat's interval. */
const retryMsMin = 50;

export function startAgent(options: AgentOptions): Agent {
  return new WorkerAgent(options);
}

class WorkerAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #slots: SlotPool;
  readonly #runs: RunStore;
  readonly #running: RunningAttempts;
  readonly #finished = new Map<string, AttemptResult>();
  /** Ids that were ever started here, by job: a delayed order must not start one again. */
  readonly #seen = new Map<JobId, Set<string>>();
  readonly #places = new Map<JobId, Places>();
  readonly #discarded = new Set<JobId>();
  readonly #calls: Promise<void>;
  readonly #watch: Promise<void>;
  #offered: WorkerReport["offered"];
  #news = new AbortController();
  #drained: { readonly resolve: () => void; readonly promise: Promise<void> } | undefined;
  #sequence = 0;
  #epoch = 0;
  #leaseMs: number = limits.leaseMs;
  /** When the newest report that was answered had been sent: the lease runs from there. */
  #heardAt: Instant;

  constructor(options: AgentOptions) {
    const { clock, budget, runs, openSlot, residentBytes } = options;
    this.#options = options;
    this.#clock = clock;
    this.#slots = new SlotPool({
      clock,
      slots: budget.slots,
      rssBytesMax: budget.rssBytesMax,
      openSlot,
      reuse: options.reuseSlots,
      residentBytes,
    });
    this.#runs = runs;
    this.#running = new RunningAttempts(clock);
    this.#offered = options.offered ?? [];
    for (const { run } of this.#offered) {
      this.#runs.keep(run);
      this.#seenOf(run.writtenBy.job).add(attemptName(run.writtenBy));
    }
    this.#heardAt = clock.now();
    this.#calls = this.#callMaster();
    this.#watch = this.#watchLimits();
  }

  prestart(slots: number, bundle?: Bundle): void {
    this.#slots.prestart(slots, bundle);
  }

  describe(bundle: Bundle): Promise<JobDescription> {
    return this.#slots.describe(bundle);
  }

  async drain(): Promise<void> {
    if (this.#drained === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.#drained = { resolve, promise };
      this.#raiseNews();
    }
    this.#checkDrained();
    await this.#drained.promise;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#raiseNews();
    await this.#slots.close();
    await Promise.all([this.#running.settled(), this.#runs.settled(), this.#calls, this.#watch]);
  }

  // ── the call ───────────────────────────────────────────────────────────────

  async #callMaster(): Promise<void> {
    let retryMs = retryMsMin;
    while (!this.#closing.signal.aborted) {
      this.#news = new AbortController();
      const outcome = await this.#call(this.#news.signal);
      if (outcome === "failed") {
        await this.#clock.sleep(retryMs * (0.5 + this.#options.random() / 2), this.#closing.signal);
        retryMs = Math.min(retryMs * 2, limits.heartbeatMs);
      } else {
        retryMs = retryMsMin;
      }
    }
  }

  /** One report. "news": there is something newer to say, while the answer is still out; it is followed when it comes. */
  async #call(news: AbortSignal): Promise<"answered" | "news" | "failed"> {
    const sentAt = this.#clock.now();
    const report = this.#report();
    const answered = this.#send(report).then(
      (orders) => {
        this.#follow(orders, report, sentAt);
        return "answered" as const;
      },
      () => "failed" as const,
    );
    const newer = new Promise<"news">((resolve) => {
      if (news.aborted) resolve("news");
      else news.addEventListener("abort", () => resolve("news"), { once: true });
    });
    return await Promise.race([answered, newer]);
  }

  async #send(report: WorkerReport): Promise<WorkerOrders> {
    failpoint("worker.beforeReport");
    return await this.#options.master.heartbeat(report, this.#closing.signal);
  }

  #raiseNews(): void {
    this.#news.abort();
  }

  #report(): WorkerReport {
    const { worker, incarnation, address, budget } = this.#options;
    const draining = this.#drained !== undefined;
    return {
      worker,
      incarnation,
      sequence: ++this.#sequence,
      placesHeld: Object.fromEntries([...this.#places].map(([job, places]) => [job, heldOf(places)])),
      address,
      slots: budget.slots,
      slotsFree: draining ? 0 : Math.max(0, budget.slots - this.#running.size),
      draining,
      running: this.#running.statuses(),
      finished: [...this.#finished.values()],
      offered: this.#offered,
    };
  }

  // ── orders ─────────────────────────────────────────────────────────────────

  #follow(orders: WorkerOrders, report: WorkerReport, sentAt: Instant): void {
    if (this.#closing.signal.aborted) return;
    if (orders.epoch < this.#epoch) return; // a former leader's: safe to ignore, the one who leads repeats what counts
    this.#epoch = orders.epoch;
    this.#leaseMs = orders.leaseMs;
    this.#heardAt = Math.max(this.#heardAt, sentAt);
    for (const { attempt } of report.finished) this.#finished.delete(keyOf(attempt));
    if (report.offered.length > 0) this.#offered = [];
    for (const places of orders.places) this.#takePlaces(places);
    for (const attempt of orders.stop) this.#stop(attempt);
    for (const job of orders.discard) this.#discard(job);
    let isNew = false;
    for (const assignment of orders.start) isNew = this.#start(assignment) || isNew;
    if (isNew) this.#raiseNews();
    this.#checkDrained();
  }

  #takePlaces(places: Places): void {
    const joined = joinPlaces(this.#places.get(places.job), places);
    if (joined === undefined) return;
    this.#places.set(places.job, joined);
    if (!isWhole(joined, joined.mapVersion)) this.#raiseNews(); // for the next page
  }

  /** False where there is nothing new: started already, or not to be started here and now. */
  #start(assignment: Assignment): boolean {
    const { attempt, work } = assignment;
    const seen = this.#seenOf(attempt.job);
    if (seen.has(attemptName(attempt)) || this.#discarded.has(attempt.job) || this.#drained !== undefined) return false;
    if (this.#running.size >= this.#options.budget.slots) return false;
    let inputs: readonly RunRef[] = [];
    if (work.phase === "reduce") {
      const places = this.#places.get(attempt.job);
      // Places travel apart: an order that overtook them is repeated.
      if (places === undefined || !isWhole(places, work.mapVersion)) return false;
      inputs = runsInOrder(places);
    }
    seen.add(attemptName(attempt));
    this.#options.onStart?.(assignment);
    this.#running.add(attempt, (running) => this.#runToEnd(assignment, inputs, running));
    return true;
  }

  #stop(attempt: AttemptId): void {
    this.#seenOf(attempt.job).add(attemptName(attempt));
    const running = this.#running.get(attempt);
    if (running === undefined || running.isStopped) return;
    running.isStopped = true;
    running.slot?.stop();
    void this.#clock.sleep(stopGraceMs, this.#closing.signal).then(() => {
      if (this.#running.get(attempt) === running) running.slot?.kill({ kind: "stopped" });
    });
  }

  #discard(job: JobId): void {
    this.#discarded.add(job);
    for (const running of this.#running) if (running.attempt.job === job) running.isStopped = true;
    for (const [key, { attempt }] of this.#finished) if (attempt.job === job) this.#finished.delete(key);
    this.#slots.endJob(job);
    this.#runs.discard(job);
    this.#seen.delete(job);
    this.#places.delete(job);
  }

  #seenOf(job: JobId): Set<string> {
    let seen = this.#seen.get(job);
    if (seen === undefined) this.#seen.set(job, (seen = new Set()));
    return seen;
  }

  // ── attempts ───────────────────────────────────────────────────────────────

  async #runToEnd(assignment: Assignment, inputs: readonly RunRef[], running: Running): Promise<void> {
    const { attempt } = assignment;
    const result = await this.#run(assignment, inputs, running).catch((error: unknown) =>
      infrastructure(attempt, error),
    );
    const isWanted = !running.isStopped && !this.#discarded.has(attempt.job);
    this.#runs.end(attempt, {
      isFailed: !isWanted || !result.ok,
      kept: isWanted && result.ok ? result.run : undefined,
    });
    this.#running.delete(attempt);
    // Who revoked it waits for no result; a failure that it caused is none.
    if (isWanted) this.#finished.set(keyOf(attempt), result);
    this.#raiseNews();
  }

  async #run(assignment: Assignment, inputs: readonly RunRef[], running: Running): Promise<AttemptResult> {
    const { attempt, spec } = assignment;
    failpoint("worker.beforeStart");
    const bundle = await this.#options.bundle(spec);
    const entry = this.#slots.take(attempt.job, bundle);
    running.slot = entry.slot;
    try {
      await this.#slots.load(entry, bundle);
      if (running.isStopped) return infrastructure(attempt, new Error("the attempt was stopped"));
      return await entry.slot.run({
        assignment,
        inputs,
        remote: [],
        access: undefined,
        ...this.#runs.begin(attempt, entry.name),
      });
    } finally {
      running.slot = undefined;
      this.#runs.clear(entry.name);
      this.#slots.giveBack(entry);
    }
  }

  // ── limits ─────────────────────────────────────────────────────────────────

  async #watchLimits(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#clock.sleep(watchMs, this.#closing.signal);
      this.#slots.checkMemory();
      if (this.#clock.now() - this.#heardAt > this.#leaseMs) this.#endLease();
    }
  }

  /** Unheard for a lease: the master has given these attempts to others by now. */
  #endLease(): void {
    for (const running of this.#running) {
      if (running.isStopped) continue;
      running.isStopped = true;
      running.slot?.kill({ kind: "stopped" });
    }
  }

  #checkDrained(): void {
    if (this.#running.size === 0 && this.#finished.size === 0) this.#drained?.resolve();
  }
}

function keyOf(attempt: AttemptId): string {
  return `${attempt.job}.${attemptName(attempt)}`;
}

/** One run per map task, in the order of their ordinals: that is what keeps values in input order. */
function runsInOrder(places: Places): readonly RunRef[] {
  return places.runs.flatMap((place) => place.runs).toSorted((a, b) => a.writtenBy.index - b.writtenBy.index);
}

function infrastructure(attempt: AttemptId, error: unknown): AttemptResult {
  const message = error instanceof Error ? error.message : String(error);
  const text: FailureText = { code: "io-error", message, stack: undefined, where: undefined, excerpt: undefined };
  return { attempt, ok: false, reason: { kind: "infrastructure", error: text } };
}
