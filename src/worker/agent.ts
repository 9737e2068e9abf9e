// The agent: keeps slots busy, leases alive, and map outputs until their job ends. It never runs user code, so nothing that a
// job does delays a heartbeat.
//
// It makes one call, again and again: a report of all it knows, answered by all it must do (DESIGN 5.2). A report with news is
// sent at once; the master then ends the older call. Replies may come twice, late or in another order: every order is one
// that may be repeated, an attempt id is started once and never again, and orders of an epoch lower than the highest seen are
// not followed.
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { MillraceError } from "../base/error.ts";
import { failpoint } from "../base/failpoint.ts";
import { type AttemptId, attemptName, type Instant, type JobId, type WorkerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { JobDescription } from "../job/describe.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Heartbeats } from "../rpc/memory-transport.ts";
import type {
  Assignment,
  AttemptResult,
  FailureText,
  Places,
  PlacesHeld,
  RunPlaces,
  WorkerOrders,
  WorkerReport,
} from "../rpc/messages.ts";
import { heldOf, isWhole, joinPlaces } from "../rpc/places.ts";
import type { RunAttempt, ShuffleAccess } from "../rpc/slot-messages.ts";
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
  /** The code of a job, fetched or built already. A rejection is an infrastructure failure of the attempt. */
  readonly bundle: (spec: JobSpec, job: JobId) => Promise<Bundle>;
  /**
   * What else a job's attempts need on this machine: probes that the storage is in reach, fetches side files; resolves with the
   * spec as slots get it. Default: the spec as it is.
   */
  readonly prepare?: (job: JobId, spec: JobSpec) => Promise<JobSpec>;
  /** What slots need to fetch runs of other workers; undefined where there are none. */
  readonly access?: {
    /** The key that signs requests for a job's runs (rpc/signature.ts). */
    readonly shuffleKey: (job: JobId) => string;
    /** PEM file of the authority that signed the workers' certificates. */
    readonly ca: string | undefined;
  };
  /**
   * For how long nothing new is taken after so many infrastructure failures in a row: a worker that fails at once (a full disk)
   * would use up a job's tries before anybody else has a turn. Default: not at all.
   */
  readonly coolDownMs?: (failures: number) => number;
  /** Told of each assignment that is begun. */
  readonly onStart?: (assignment: Assignment) => void;
  /** Told of each attempt that is over; `result` undefined: it was revoked, and nobody waits for one. */
  readonly onEnd?: (attempt: AttemptId, result: AttemptResult | undefined) => void;
  /** The master wants this worker to drain; told once. */
  readonly onDrain?: () => void;
  /** Told of each call that failed; it is made again. */
  readonly onCallFailed?: (error: unknown) => void;
  /** Told when a job's files, slots and secrets go; may be told again. */
  readonly onDiscard?: (job: JobId) => void;
  /** Who it is, for messages of unreadable files, which others may be able to read: "worker w2 (on m2)". Default: not said. */
  readonly who?: string;
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
  /** Ends what runs without a result, so that the master gives it to others. */
  handBack(): void;
  /** Resolves when no job has runs here any more (`drain` first: a new attempt makes new ones). */
  released(): Promise<void>;
  status(): AgentStatus;
  /** Kills all slots and ends the calls. Files stay: who owns the directories removes them. */
  close(): Promise<void>;
}

export interface AgentStatus {
  readonly running: number;
  readonly isDraining: boolean;
  /** Since the newest report that the master has answered was sent. */
  readonly unheardMs: number;
  readonly leaseMs: number;
  /** No call was answered yet. */
  readonly isNew: boolean;
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
  /** With the newest report's sequence at the time: only an answer to a later one may start the job again. */
  readonly #discarded = new Map<JobId, number>();
  /** Sequences of the reports that may still be answered. */
  readonly #asked = new Set<number>();
  readonly #calls: Promise<void>;
  readonly #watch: Promise<void>;
  #offered: WorkerReport["offered"];
  #news = new AbortController();
  #drained: Deferred | undefined;
  #released: Deferred | undefined;
  #failuresInRow = 0;
  #isCooling = false;
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
      this.#drained = deferred();
      this.#raiseNews();
      this.#options.onDrain?.();
    }
    this.#checkDrained();
    await this.#drained.promise;
  }

  handBack(): void {
    for (const running of this.#running) this.#kill(running);
  }

  async released(): Promise<void> {
    this.#released ??= deferred();
    this.#checkReleased();
    await this.#released.promise;
  }

  status(): AgentStatus {
    return {
      running: this.#running.size,
      isDraining: this.#drained !== undefined,
      unheardMs: this.#clock.now() - this.#heardAt,
      leaseMs: this.#leaseMs,
      isNew: this.#epoch === 0,
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const running of this.#running) running.stop.abort(); // also what waits for a fetch
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
    const answered = this.#ask(report).then(
      (orders) => {
        this.#follow(orders, report, sentAt);
        return "answered" as const;
      },
      (error) => {
        if (!this.#closing.signal.aborted) this.#options.onCallFailed?.(error);
        return "failed" as const;
      },
    );
    const newer = new Promise<"news">((resolve) => {
      if (news.aborted) resolve("news");
      else news.addEventListener("abort", () => resolve("news"), { once: true });
    });
    return await Promise.race([answered, newer]);
  }

  /** Fails after half a lease, so that a call whose answer is lost leaves time for another one. */
  async #ask(report: WorkerReport): Promise<WorkerOrders> {
    const giveUp = new AbortController();
    const closing = () => giveUp.abort();
    this.#closing.signal.addEventListener("abort", closing, { once: true });
    const tooLong = this.#clock.sleep(this.#leaseMs / 2, giveUp.signal);
    this.#asked.add(report.sequence);
    try {
      failpoint("worker.beforeReport");
      const call = this.#options.master.heartbeat(report, giveUp.signal);
      call.catch(() => {}); // given up
      const orders = await Promise.race([call, tooLong]);
      if (orders === undefined) throw new MillraceError("unreachable", "the master does not answer");
      return orders;
    } finally {
      this.#closing.signal.removeEventListener("abort", closing);
      giveUp.abort();
      this.#asked.delete(report.sequence);
    }
  }

  #raiseNews(): void {
    this.#news.abort();
  }

  #report(): WorkerReport {
    const { worker, incarnation, address, budget } = this.#options;
    const draining = this.#drained !== undefined;
    const takesNothing = draining || this.#isCooling;
    return {
      worker,
      incarnation,
      sequence: ++this.#sequence,
      placesHeld: this.#placesHeld(),
      address,
      slots: budget.slots,
      slotsFree: takesNothing ? 0 : Math.max(0, budget.slots - this.#running.size),
      draining,
      running: this.#running.statuses(),
      finished: [...this.#finished.values()],
      offered: this.#offered,
    };
  }

  /** Names every job that has anything here, so that the master can say of each that it is over, whatever it said before. */
  #placesHeld(): WorkerReport["placesHeld"] {
    const held: Record<JobId, PlacesHeld> = {};
    for (const job of [...this.#seen.keys(), ...this.#runs.jobs()]) held[job] = { mapVersion: 0, runs: 0 };
    for (const [job, places] of this.#places) held[job] = heldOf(places);
    return held;
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
    this.#forgetDiscarded();
    for (const job of orders.discard) this.#discard(job);
    if (orders.drain) void this.drain();
    // Fault 40: an answer that lay about for a lease (a stopped process, a half-open connection) starts nothing.
    if (this.#clock.now() - sentAt <= this.#leaseMs) this.#startAll(orders.start, report.sequence);
    this.#checkDrained();
    this.#checkReleased();
  }

  #startAll(assignments: readonly Assignment[], sequence: number): void {
    let isNew = false;
    for (const assignment of assignments) {
      const discardedAt = this.#discarded.get(assignment.attempt.job);
      if (discardedAt !== undefined && sequence <= discardedAt) continue;
      isNew = this.#start(assignment) || isNew;
    }
    if (isNew) this.#raiseNews();
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
    if (seen.has(attemptName(attempt)) || this.#drained !== undefined) return false;
    if (this.#running.size >= this.#options.budget.slots) return false;
    let inputs: Inputs = noInputs;
    if (work.phase === "reduce") {
      const places = this.#places.get(attempt.job);
      // Places travel apart: an order that overtook them is repeated.
      if (places === undefined || !isWhole(places, work.mapVersion)) return false;
      inputs = inputsOf(places, this.#options.worker);
    }
    seen.add(attemptName(attempt));
    this.#options.onStart?.(assignment);
    this.#running.add(attempt, (running) => this.#runToEnd(assignment, inputs, running));
    return true;
  }

  #stop(attempt: AttemptId): void {
    this.#seenOf(attempt.job).add(attemptName(attempt));
    const running = this.#running.get(attempt);
    if (running === undefined || running.stop.signal.aborted) return;
    running.stop.abort();
    running.slot?.stop();
    void this.#clock.sleep(stopGraceMs, this.#closing.signal).then(() => {
      if (this.#running.get(attempt) === running) running.slot?.kill({ kind: "stopped" });
    });
  }

  #discard(job: JobId): void {
    this.#discarded.set(job, this.#sequence);
    for (const running of this.#running) if (running.attempt.job === job) running.stop.abort();
    for (const [key, { attempt }] of this.#finished) if (attempt.job === job) this.#finished.delete(key);
    this.#slots.endJob(job);
    this.#runs.discard(job);
    this.#seen.delete(job);
    this.#places.delete(job);
    this.#options.onDiscard?.(job);
  }

  /** Of what no answer can come any more that would start it. */
  #forgetDiscarded(): void {
    const oldest = Math.min(...this.#asked, this.#sequence);
    for (const [job, sequence] of this.#discarded) if (sequence < oldest) this.#discarded.delete(job);
  }

  #seenOf(job: JobId): Set<string> {
    let seen = this.#seen.get(job);
    if (seen === undefined) this.#seen.set(job, (seen = new Set()));
    return seen;
  }

  // ── attempts ───────────────────────────────────────────────────────────────

  async #runToEnd(assignment: Assignment, inputs: Inputs, running: Running): Promise<void> {
    const { attempt } = assignment;
    const result = await this.#run(assignment, inputs, running).then(
      (done) => this.#placed(done),
      (error: unknown) => infrastructure(attempt, error),
    );
    const isWanted = !running.stop.signal.aborted;
    this.#runs.end(attempt, {
      isFailed: !isWanted || !result.ok,
      kept: isWanted && result.ok ? result.run : undefined,
    });
    this.#running.delete(attempt);
    // Who revoked it waits for no result; a failure that it caused is none.
    if (isWanted) {
      this.#finished.set(keyOf(attempt), result);
      this.#coolDown(result);
    }
    this.#options.onEnd?.(attempt, isWanted ? result : undefined);
    this.#checkReleased();
    this.#raiseNews();
  }

  #coolDown(result: AttemptResult): void {
    const isOurs = !result.ok && result.reason.kind === "infrastructure";
    this.#failuresInRow = isOurs ? this.#failuresInRow + 1 : 0;
    const { coolDownMs } = this.#options;
    if (!isOurs || coolDownMs === undefined || this.#isCooling) return;
    this.#isCooling = true;
    void this.#clock.sleep(coolDownMs(this.#failuresInRow), this.#closing.signal).then(() => {
      this.#isCooling = false;
      this.#raiseNews();
    });
  }

  async #run(assignment: Assignment, inputs: Inputs, running: Running): Promise<AttemptResult> {
    const { attempt } = assignment;
    const { signal } = running.stop;
    failpoint("worker.beforeStart");
    const access = inputs.remote.length === 0 ? undefined : this.#accessTo(attempt.job);
    const { bundle, spec } = await unlessStopped(this.#prepare(assignment), signal);
    const entry = await this.#slots.take(attempt.job, bundle, signal);
    running.slot = entry.slot;
    try {
      await this.#slots.load(entry, bundle);
      signal.throwIfAborted();
      return await entry.slot.run({
        assignment: { ...assignment, spec },
        ...inputs,
        access,
        ...this.#runs.begin(attempt, entry.name),
      });
    } finally {
      running.slot = undefined;
      this.#runs.clear(entry.name);
      this.#slots.giveBack(entry);
    }
  }

  /** A file that can't be read may be one that is not shared: then it matters where. */
  #placed(result: AttemptResult): AttemptResult {
    const { who } = this.#options;
    if (who === undefined || result.ok) return result;
    const { reason } = result;
    if (reason.kind !== "bad-input" && reason.error.code !== "no-input") return result;
    const error = { ...reason.error, message: `${reason.error.message} (as ${who} sees it)` };
    return { ...result, reason: { ...reason, error } };
  }

  async #prepare({ attempt, spec }: Assignment): Promise<{ readonly bundle: Bundle; readonly spec: JobSpec }> {
    const { prepare, bundle } = this.#options;
    const local = prepare === undefined ? spec : await prepare(attempt.job, spec);
    return { bundle: await bundle(spec, attempt.job), spec: local };
  }

  #accessTo(job: JobId): ShuffleAccess {
    const { access } = this.#options;
    assert(access !== undefined, "a worker among others can fetch their runs");
    return { key: access.shuffleKey(job), ca: access.ca };
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
    for (const running of this.#running) this.#kill(running);
  }

  #kill(running: Running): void {
    if (running.stop.signal.aborted) return;
    running.stop.abort();
    running.slot?.kill({ kind: "stopped" });
  }

  #checkDrained(): void {
    if (this.#running.size === 0 && this.#finished.size === 0) this.#drained?.resolve();
  }

  #checkReleased(): void {
    if (this.#running.size === 0 && this.#runs.jobs().length === 0) this.#released?.resolve();
  }
}

function keyOf(attempt: AttemptId): string {
  return `${attempt.job}.${attemptName(attempt)}`;
}

/** What a reduce reads, apart: what lies here, and what has to be fetched. */
type Inputs = Pick<RunAttempt, "inputs" | "remote">;

const noInputs: Inputs = { inputs: [], remote: [] };

/** One run per map task, in the order of their ordinals: that is what keeps values in input order. */
function inputsOf(places: Places, self: WorkerId): Inputs {
  const byOrdinal = (a: RunRef, b: RunRef) => a.writtenBy.index - b.writtenBy.index;
  const here = places.runs.filter(({ worker }) => worker === self).flatMap(({ runs }) => runs);
  // A worker may be on more than one page.
  const others = new Map<string, RunPlaces>();
  for (const place of places.runs) {
    if (place.worker === self) continue;
    const known = others.get(place.worker);
    others.set(place.worker, { ...place, runs: [...(known?.runs ?? []), ...place.runs] });
  }
  return {
    inputs: here.toSorted(byOrdinal),
    remote: [...others.values()].map((place) => ({ ...place, runs: place.runs.toSorted(byOrdinal) })),
  };
}

/** What is under way goes on for others who wait for it. */
async function unlessStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {}); // stopped before it failed
  let stopped = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stopped = () => reject(signal.reason);
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", stopped, { once: true });
  });
  return await Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", stopped));
}

interface Deferred {
  readonly resolve: () => void;
  readonly promise: Promise<void>;
}

function deferred(): Deferred {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { resolve, promise };
}

function infrastructure(attempt: AttemptId, error: unknown): AttemptResult {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof MillraceError ? error.code : "io-error";
  const text: FailureText = { code, message, stack: undefined, where: undefined, excerpt: undefined };
  return { attempt, ok: false, reason: { kind: "infrastructure", error: text } };
}
