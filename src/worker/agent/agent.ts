// The agent: keeps slots busy, leases alive, and map outputs until their job ends. It never runs user code, so nothing
// that a job does delays a heartbeat.
//
// It makes one call, again and again: a report of all it knows, answered by all it must do (docs/protocol.md). A report
// with news is sent at once; the master then ends the older call. Replies may come twice, late or in another order:
// every order is one that may be repeated, an attempt id is started once and never again, and orders of an epoch lower
// than the highest seen are not followed.

import { setMaxListeners } from "node:events";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { type AttemptId, fullAttemptName, type Instant, type JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { Assignment, FailureText, StopOrder, WorkerOrders, WorkerReport } from "../../protocol/messages.ts";
import type { RunStore } from "../disk/run-store.ts";
import { SlotPool } from "../slots/pool.ts";
import type { Bundle } from "../slots/task-slot.ts";
import { CoolDown } from "./cool-down.ts";
import { Copies } from "./copies.ts";
import { KnownJobs, type ReduceInputs } from "./known-jobs.ts";
import { MasterCalls } from "./master-calls.ts";
import type { Agent, AgentOptions, AgentStatus } from "./options.ts";
import { type Finished, measured, notDone, placed, toldOf } from "./results.ts";
import { runAttempt } from "./run-attempt.ts";
import { type Running, RunningAttempts } from "./running.ts";
import { Settling } from "./settling.ts";

export type { Agent, AgentOptions, AgentStatus } from "./options.ts";

/** Time between two looks at the memory of slots and at the lease. */
const watchMs = 250;
/** Time until a revoked attempt that does not end by itself is killed. */
const stopGraceMs = 500;
/** Time after which a drained worker ends even if the master has not heard of it. */
const tellLeaveMs = 1_000;

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
  readonly #finished = new Map<string, Finished>();
  readonly #jobs = new KnownJobs();
  readonly #settling: Settling;
  /** Jobs for which the master knows that nothing of them goes on here. */
  readonly #toldSettled = new Set<JobId>();
  readonly #calls: MasterCalls;
  readonly #coolDown: CoolDown;
  readonly #copies: Copies;
  readonly #watch: Promise<void>;
  #offered: WorkerReport["offered"];
  #drained: Deferred<void> | undefined;
  /** The master knows that this worker drains, and gives it nothing more. */
  #isLeaveTold = false;
  /** No report was answered for a lease. */
  #isUnheard = false;
  #released: Deferred<void> | undefined;
  /** When it leaves at the latest, by this process's clock. */
  #leavesAt: Instant | undefined;
  /** The time that the master gave it. */
  #wishedMs: number | undefined;
  /** The master has said that nothing here is needed. */
  #mayLeave = false;

  constructor(options: AgentOptions) {
    const { clock, budget, runs, openSlot, residentBytes } = options;
    this.#options = options;
    this.#clock = clock;
    setMaxListeners(0, this.#closing.signal); // every pause under way listens
    this.#slots = new SlotPool({
      clock,
      slots: budget.slots,
      rssBytesMax: budget.rssBytesMax,
      openSlot: (name) => openSlot(name, (attempt, error) => this.#calledLate(attempt, error)),
      reuse: options.reuseSlots,
      spare: options.spareSlots,
      residentBytes,
    });
    this.#runs = runs;
    this.#running = new RunningAttempts(clock);
    this.#settling = new Settling({
      clock,
      settleSlots: (job) => this.#slots.settle(job),
      running: (job) => this.#running.countOf(job),
      changed: () => this.#settlingChanged(),
    });
    this.#offered = options.offered ?? [];
    for (const { run } of this.#offered) {
      this.#runs.keep(run);
      this.#jobs.note(run.writtenBy);
    }
    for (const job of options.leftJobs ?? []) this.#jobs.noteJob(job);
    this.#coolDown = new CoolDown({
      clock,
      ms: options.coolDownMs,
      signal: this.#closing.signal,
      over: () => this.#calls.raiseNews(),
    });
    this.#copies = new Copies({
      copyRun: options.copyRun,
      made: ({ run }) => {
        this.#runs.keep(run);
        this.#jobs.note(run.writtenBy);
      },
      offer: (offer) => {
        if (!this.#offered.includes(offer)) this.#offered = [...this.#offered, offer];
      },
      changed: () => this.#calls.raiseNews(),
    });
    // Last: the first report is made at once, of all that stands above.
    this.#calls = new MasterCalls({
      master: options.master,
      clock,
      random: options.random,
      report: (sequence) => this.#report(sequence),
      answered: (orders, report, isFresh) => this.#follow(orders, report, isFresh),
      failed: (error) => options.onCallFailed?.(error),
    });
    this.#watch = this.#watchLimits();
  }

  prestart(slots: number, bundle?: Bundle): void {
    this.#slots.prestart(slots, bundle);
  }

  describe(bundle: Bundle, triesMax?: number): Promise<JobDescription> {
    return this.#slots.describe(bundle, triesMax);
  }

  validate(bundle: Bundle, params: string, triesMax?: number): Promise<Uint8Array | undefined> {
    return this.#slots.validate(bundle, params, triesMax);
  }

  async drain(withinMs?: number): Promise<void> {
    const leavesAt = withinMs === undefined ? undefined : this.#clock.now() + withinMs;
    const isSooner = leavesAt !== undefined && leavesAt < (this.#leavesAt ?? Number.POSITIVE_INFINITY);
    if (isSooner) this.#leavesAt = leavesAt;
    const isFirst = this.#drained === undefined;
    this.#drained ??= deferred();
    if (isFirst) this.#settling.advance(this.#jobsLeft());
    if (isFirst || isSooner) {
      this.#calls.raiseNews();
      this.#options.onDrain?.(withinMs);
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
      unheardMs: this.#calls.unheardMs,
      leaseMs: this.#calls.leaseMs,
      isNew: this.#calls.isNew,
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const called = this.#calls.close();
    for (const running of this.#running) running.stop.abort(); // also what waits for a fetch
    await Promise.all([this.#slots.close(), this.#copies.close()]);
    await Promise.all([this.#running.settled(), this.#runs.settled(), called, this.#watch]);
  }

  // ── reports and orders ─────────────────────────────────────────────────────

  #report(sequence: number): WorkerReport {
    const { worker, incarnation, address, budget, slotsAhead, resultBytesMax } = this.#options;
    const draining = this.#drained !== undefined;
    const takesNothing = draining || this.#coolDown.isOn;
    return {
      worker,
      incarnation,
      sequence,
      holdersKnown: this.#jobs.held(this.#runs.jobs()),
      address,
      slots: budget.slots,
      slotsFree: takesNothing ? 0 : Math.max(0, budget.slots - this.#running.size),
      slotsAhead: takesNothing ? 0 : (slotsAhead ?? 0),
      draining,
      running: this.#running.statuses(),
      finished: toldOf(this.#finished.values(), resultBytesMax),
      // A page of them: there may be a million.
      offered: this.#offered.slice(0, limits.runsPerMessage),
      ...this.#settling.report(this.#jobsLeft()),
      ...(this.#leavesAt !== undefined && { leavesInMs: Math.max(0, this.#leavesAt - this.#clock.now()) }),
      ...(this.#copies.failed.length > 0 && { copiesFailed: this.#copies.failed }),
    };
  }

  #follow(orders: WorkerOrders, report: WorkerReport, isFresh: boolean): void {
    if (report.draining) this.#isLeaveTold = true;
    for (const { attempt } of report.finished) this.#finished.delete(fullAttemptName(attempt));
    for (const job of report.settled) this.#toldSettled.add(job);
    let isNews = this.#offeredAre(report.offered);
    isNews = this.#settling.acknowledged(report) || isNews;
    this.#copies.acknowledged(report.copiesFailed ?? []);
    for (const holders of orders.holders) isNews = this.#jobs.takeHolders(holders) || isNews;
    for (const order of orders.stop) this.#stop(order);
    for (const job of orders.discard) this.#discard(job);
    if (isFresh) isNews = this.#copies.follow(orders.copy ?? []) || isNews;
    if (orders.mayLeave === true && report.draining) this.#mayLeave = true;
    // The wish comes with every answer, and its time begins with the first of them.
    if (orders.drain && (this.#drained === undefined || orders.drainWithinMs !== this.#wishedMs)) {
      this.#wishedMs = orders.drainWithinMs;
      void this.drain(orders.drainWithinMs);
    }
    // Fault 40: an answer that is older than a lease starts nothing, as the master gave those attempts to others.
    if (isFresh) for (const assignment of orders.start) isNews = this.#start(assignment, report.sequence) || isNews;
    // Must run last: by now this answer's own report no longer counts as pending (found by the simulation: seed 3007).
    this.#jobs.forgetBefore(this.#calls.oldestAsked);
    this.#settling.ask(orders.settle, report.sequence);
    this.#settling.advance(this.#jobsLeft());
    if (isNews) this.#calls.raiseNews();
    this.#checkDrained();
    this.#checkReleased();
  }

  /**
   * Jobs about whose late calls it reports without being asked: all that have anything here, when it leaves, as no one
   * else could report it, and where it does not hear the master, which may hear it all the same (simulation, seeds 62
   * and 173).
   */
  #jobsLeft(): readonly JobId[] {
    return this.#drained !== undefined || this.#isUnheard ? this.#heldJobs() : [];
  }

  #heldJobs(): readonly JobId[] {
    return Object.keys(this.#jobs.held(this.#runs.jobs()));
  }

  #settlingChanged(): void {
    this.#calls.raiseNews();
    this.#checkDrained();
  }

  #calledLate(attempt: AttemptId, error: FailureText): void {
    this.#settling.called(attempt, error);
    this.#options.onLate?.(attempt, error);
  }

  /** Called when the master has got these offers. Returns true if there are more. */
  #offeredAre(told: WorkerReport["offered"]): boolean {
    if (told.length === 0) return false;
    const known = new Set(told);
    this.#offered = this.#offered.filter((offer) => !known.has(offer));
    return this.#offered.length > 0;
  }

  /** Starts an attempt. Returns false when it was started already, or must not be started here and now. */
  #start(assignment: Assignment, sequence: number): boolean {
    const { attempt, work } = assignment;
    const { budget, slotsAhead = 0, worker, onStart } = this.#options;
    if (!this.#jobs.mayStart(attempt, sequence) || this.#drained !== undefined) return false;
    if (this.#running.size >= budget.slots + slotsAhead) return false;
    const inputs = work.phase === "reduce" ? this.#jobs.inputs(attempt.job, work.mapVersion, worker) : noInputs;
    if (inputs === undefined) return false;
    this.#jobs.note(attempt);
    this.#settling.begin(attempt.job);
    this.#toldSettled.delete(attempt.job);
    onStart?.(assignment);
    this.#running.add(attempt, (running) => this.#runToEnd(assignment, inputs, running));
    return true;
  }

  #stop({ attempt, why }: StopOrder): void {
    this.#jobs.note(attempt);
    const running = this.#running.get(attempt);
    if (running === undefined || running.stop.signal.aborted) return;
    running.stop.abort();
    // Not if it has ended: an order of an older master may come after the next one has taken the result.
    this.#settling.revoke(attempt);
    running.slot?.stop(why);
    void this.#clock.sleep(stopGraceMs, this.#closing.signal).then(() => {
      if (this.#running.get(attempt) === running) running.slot?.kill({ kind: "stopped" });
    });
  }

  #discard(job: JobId): void {
    this.#jobs.discard(job, this.#calls.sequence);
    for (const running of this.#running) if (running.attempt.job === job) running.stop.abort();
    for (const [key, { result }] of this.#finished) if (result.attempt.job === job) this.#finished.delete(key);
    this.#settling.discard(job);
    this.#copies.discard(job);
    this.#toldSettled.delete(job);
    this.#slots.endJob(job);
    this.#runs.discard(job);
    this.#options.onDiscard?.(job);
  }

  // ── attempts ───────────────────────────────────────────────────────────────

  async #runToEnd(assignment: Assignment, inputs: ReduceInputs, running: Running): Promise<void> {
    const { attempt } = assignment;
    const { resultBytesMax, who } = this.#options;
    const parts = { options: this.#options, slots: this.#slots, runs: this.#runs, running: this.#running };
    const finished = await runAttempt(assignment, inputs, running, parts).then(
      (done) => measured(placed(done, who), resultBytesMax),
      (error: unknown) => ({ result: notDone(attempt, error), bytes: 0 }),
    );
    const { result } = finished;
    if (result.ok && !running.stop.signal.aborted) await this.#settling.together(attempt);
    const isWanted = !running.stop.signal.aborted;
    if (!isWanted) this.#settling.revoke(attempt);
    this.#runs.end(attempt, {
      isFailed: !isWanted || !result.ok,
      kept: isWanted && result.ok ? result.run : undefined,
    });
    this.#running.delete(attempt);
    // The master does not wait for the result of a revoked attempt, and its failure does not count.
    if (isWanted) {
      this.#finished.set(fullAttemptName(attempt), finished);
      this.#coolDown.ended(result);
    }
    this.#options.onEnd?.(attempt, isWanted ? result : undefined);
    this.#settling.advance(this.#jobsLeft());
    this.#checkReleased();
    this.#calls.raiseNews();
  }

  // ── limits ─────────────────────────────────────────────────────────────────

  async #watchLimits(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#clock.sleep(watchMs, this.#closing.signal);
      this.#slots.checkMemory();
      // Unheard for a lease: the master has given these attempts to others by now.
      this.#isUnheard = this.#calls.unheardMs > this.#calls.leaseMs;
      if (!this.#isUnheard) continue;
      this.handBack();
      this.#settling.advance(this.#jobsLeft());
    }
  }

  #kill(running: Running): void {
    if (running.stop.signal.aborted) return;
    running.stop.abort();
    this.#settling.revoke(running.attempt);
    running.slot?.kill({ kind: "stopped" });
  }

  #checkDrained(): void {
    const drained = this.#drained;
    if (drained === undefined || this.#running.size > 0 || this.#finished.size > 0) return;
    const jobs = this.#heldJobs();
    if (this.#settling.hasLate || jobs.some((job) => !this.#settling.isSettled(job))) return;
    if (this.#isLeaveTold && jobs.every((job) => this.#toldSettled.has(job))) drained.resolve();
    // A master that is away learns it by the lease, so this does not wait long.
    else void this.#clock.sleep(tellLeaveMs, this.#closing.signal).then(() => drained.resolve());
  }

  #checkReleased(): void {
    if (this.#running.size > 0 || this.#finished.size > 0) return;
    if (this.#mayLeave || this.#runs.jobs().length === 0) this.#released?.resolve();
  }
}

const noInputs: ReduceInputs = { inputs: [], remote: [] };
