// Answers the master's question when a job ends (`WorkerOrders.settle`): does its code still do something here after
// its calls have returned? Late calls are kept until the master has them, and are reported with the answer or before
// it.

import { type AttemptId, fullAttemptName, type JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { FailureText, LateCall, WorkerReport } from "../../protocol/messages.ts";

export interface SettlingOptions {
  readonly clock: Clock;
  /** Resolves when the job's slots have reported everything; never rejects. */
  readonly settleSlots: (job: JobId) => Promise<void>;
  /** How many attempts of the job run here, or wait for a slot. */
  readonly running: (job: JobId) => number;
  /** Called when there is something to report. */
  readonly changed: () => void;
}

export class Settling {
  readonly #options: SettlingOptions;
  #asked: ReadonlySet<JobId> = new Set();
  /** The sequence of the report whose answer asked. */
  #askedBy = 0;
  readonly #underway = new Map<JobId, Promise<boolean>>();
  readonly #settled = new Set<JobId>();
  /** Late calls, one per attempt: only the first of an attempt is reported. */
  readonly #late = new Map<string, LateCall>();
  readonly #revoked = new Map<JobId, Set<string>>();

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  get hasLate(): boolean {
    return this.#late.size > 0;
  }

  isSettled(job: JobId): boolean {
    return this.#settled.has(job);
  }

  /** Takes the question of an answer. Answers may come in another order, so that of the newest report counts. */
  ask(jobs: readonly JobId[], sequence: number): void {
    if (sequence < this.#askedBy) return;
    this.#askedBy = sequence;
    this.#asked = new Set(jobs);
  }

  /** Asks slots of the jobs that were asked about, and of `others`, as soon as nothing of them runs. */
  advance(others: readonly JobId[]): void {
    for (const job of new Set([...this.#asked, ...others])) {
      if (this.#settled.has(job) || this.#underway.has(job) || this.#options.running(job) > 0) continue;
      void this.#settle(job).then((isSettled) => isSettled && this.#options.changed());
    }
  }

  /**
   * The attempt is done and not reported. Where it was the last of a job that is asked about, the answer may be there
   * in no time: then both are one report, and one commit of the master's.
   */
  async together({ job }: AttemptId): Promise<void> {
    if (!this.#asked.has(job) || this.#options.running(job) > 1) return;
    const settled = this.#underway.get(job) ?? this.#settle(job);
    const timer = new AbortController();
    const waited = this.#options.clock.sleep(limits.settleTogetherMs, timer.signal).then(() => false);
    if (!(await Promise.race([settled.then(() => true), waited])))
      void settled.then((isSettled) => isSettled && this.#options.changed());
    timer.abort();
  }

  /** Called when an attempt of the job begins: earlier answers no longer count. */
  begin(job: JobId): void {
    this.#settled.delete(job);
    this.#underway.delete(job);
  }

  called(attempt: AttemptId, error: FailureText): void {
    const key = fullAttemptName(attempt);
    if (this.#revoked.get(attempt.job)?.has(key) === true || this.#late.has(key)) return;
    this.#late.set(key, { attempt, error });
    this.#options.changed();
  }

  /** Forgets late calls of a revoked attempt, which count for nothing. */
  revoke(attempt: AttemptId): void {
    const key = fullAttemptName(attempt);
    let revoked = this.#revoked.get(attempt.job);
    if (revoked === undefined) this.#revoked.set(attempt.job, (revoked = new Set()));
    revoked.add(key);
    this.#late.delete(key);
  }

  discard(job: JobId): void {
    this.begin(job);
    this.#revoked.delete(job);
  }

  /**
   * The part of a report about late calls: a page of them. A job is settled when all its late calls are on it. `others`
   * may be settled too, without a question.
   */
  report(others: readonly JobId[]): Pick<WorkerReport, "settled" | "late"> {
    const all = [...this.#late.values()];
    const late = all.slice(0, limits.lateCallsPerReport);
    const isLeft = (job: JobId) => all.slice(late.length).some(({ attempt }) => attempt.job === job);
    const settled = [...this.#settled].filter(
      (job) => (this.#asked.has(job) || others.includes(job)) && this.#options.running(job) === 0 && !isLeft(job),
    );
    return { settled, late };
  }

  /**
   * The report was answered. Of an attempt that ran then the master may hear once more: one that revoked it has not
   * used what it said, and the next master may take its result. True: there is more to say.
   */
  acknowledged({ late, running }: WorkerReport): boolean {
    if (late.length === 0) return false;
    const ran = new Set(running.map(({ attempt }) => fullAttemptName(attempt)));
    for (const { attempt } of late) if (!ran.has(fullAttemptName(attempt))) this.#late.delete(fullAttemptName(attempt));
    return late.length === limits.lateCallsPerReport && this.#late.size > 0;
  }

  /** False: an attempt has begun meanwhile. */
  #settle(job: JobId): Promise<boolean> {
    const settled = this.#options.settleSlots(job).then(() => {
      if (this.#underway.get(job) !== settled) return false;
      this.#underway.delete(job);
      this.#settled.add(job);
      return true;
    });
    this.#underway.set(job, settled);
    return settled;
  }
}
