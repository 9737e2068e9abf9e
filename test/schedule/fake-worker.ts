// A worker without slots: it follows orders as the real agent does (worker/agent/agent.ts), and its attempts end as
// the test says.
import type { AttemptId, JobId, Position } from "../../src/base/ids.ts";
import { heldOf, isWhole, joinHolders } from "../../src/protocol/holders.ts";
import type {
  Assignment,
  AttemptDone,
  AttemptResult,
  CopyFailed,
  CopyOrder,
  Holders,
  LateCall,
  Offer,
  RunningAttempt,
  WorkerOrders,
  WorkerReport,
} from "../../src/protocol/messages.ts";
import { attemptKey } from "../../src/schedule/state/task.ts";

export interface FakeAttempt {
  readonly assignment: Assignment;
  /** For a reduce: what it reads, as it was known at its start. */
  readonly holders: Holders | undefined;
  idleMs: number;
  runningMs: number;
  at?: Position;
  hasCheckpoint?: true;
}

export class FakeWorker {
  readonly id: string;
  readonly slots: number;
  /** The host of its machine; its address is this and its incarnation. */
  readonly host: string;
  incarnation = 1;
  sequence = 0;
  isDraining = false;
  slotsAhead = 0;
  epoch = 0;
  readonly running = new Map<string, FakeAttempt>();
  readonly finished = new Map<string, AttemptResult>();
  readonly holders = new Map<JobId, Holders>();
  /** Runs that lie here, with their digests; they outlive the process. */
  readonly runs = new Map<string, { run: NonNullable<AttemptDone["run"]>; emissionDigest: bigint }>();
  /** Everything ever started: an attempt runs once. */
  readonly started: string[] = [];
  /** Those that really ran, in order. */
  readonly ran = new Map<string, AttemptId>();
  readonly discarded = new Set<JobId>();
  /** It is asked about these; those that it does not answer yet. */
  asked: readonly JobId[] = [];
  readonly answered = new Set<JobId>();
  /** When attempts ended and jobs were answered of last, counted in such events of this life. */
  readonly endedAt = new Map<string, number>();
  readonly answeredAt = new Map<JobId, number>();
  private events = 0;
  readonly silent = new Set<JobId>();
  /** What attempts of its did after their end, by their key, until it is acknowledged. */
  readonly late = new Map<string, LateCall>();
  offered: WorkerReport["offered"] = [];
  copiesFailed: readonly CopyFailed[] = [];
  /** Copies a run from where it lies, or says why it can't. */
  copy: (order: CopyOrder) => Offer | string = () => "there is no one to copy from";
  /** Called when it is told that nothing of its is needed. */
  left: () => void = () => {};

  constructor(id: string, slots = 1, host = id) {
    this.id = id;
    this.host = host;
    this.slots = slots;
  }

  report(): WorkerReport {
    const settled = this.settled();
    for (const job of settled) {
      this.answered.add(job);
      this.answeredAt.set(job, ++this.events);
    }
    return {
      worker: this.id,
      incarnation: this.incarnation,
      sequence: ++this.sequence,
      holdersKnown: Object.fromEntries([...this.holders].map(([job, holders]) => [job, heldOf(holders)])),
      address: `${this.host}:${this.incarnation}`,
      slots: this.slots,
      slotsFree: this.isDraining ? 0 : Math.max(0, this.slots - this.running.size),
      slotsAhead: this.isDraining ? 0 : this.slotsAhead,
      draining: this.isDraining,
      running: [...this.running.values()].map(runningAttempt),
      finished: [...this.finished.values()],
      offered: this.offered,
      settled,
      late: [...this.late.values()],
      ...(this.copiesFailed.length > 0 && { copiesFailed: this.copiesFailed }),
    };
  }

  /** The answer to `report`. May come late or twice. */
  follow(orders: WorkerOrders, report: WorkerReport): void {
    if (orders.epoch < this.epoch || report.incarnation !== this.incarnation) return;
    this.epoch = orders.epoch;
    for (const { attempt } of report.finished) this.finished.delete(attemptKey(attempt));
    for (const { attempt } of report.late) this.late.delete(attemptKey(attempt));
    this.asked = orders.settle;
    if (report.offered.length > 0) this.offered = [];
    this.copiesFailed = this.copiesFailed.filter((one) => report.copiesFailed?.includes(one) !== true);
    for (const holders of orders.holders) {
      const joined = joinHolders(this.holders.get(holders.job), holders);
      if (joined !== undefined) this.holders.set(holders.job, joined);
    }
    if (orders.drain) this.isDraining = true;
    for (const { attempt } of orders.stop) this.stop(attempt);
    for (const job of orders.discard) this.discard(job);
    for (const assignment of orders.start) this.start(assignment);
    for (const order of orders.copy ?? []) this.makeCopy(order);
    if (orders.mayLeave === true && this.isDraining) this.left();
  }

  private makeCopy(order: CopyOrder): void {
    const { writtenBy } = order.run;
    const key = attemptKey(writtenBy);
    const made = this.runs.get(key) ?? this.copy(order);
    if (typeof made === "string") {
      if (!this.copiesFailed.some(({ attempt }) => attemptKey(attempt) === key))
        this.copiesFailed = [...this.copiesFailed, { attempt: writtenBy, why: made }];
      return;
    }
    this.runs.set(key, made);
    this.started.push(key);
    if (!this.offered.some(({ run }) => attemptKey(run.writtenBy) === key)) this.offered = [...this.offered, made];
  }

  /** The process dies and starts again; what it finds of its runs it offers. */
  restart(keep: (key: string) => boolean = () => true): void {
    this.incarnation++;
    this.isDraining = false;
    this.sequence = 0;
    this.running.clear();
    this.finished.clear();
    this.asked = [];
    this.answered.clear();
    this.ran.clear();
    this.endedAt.clear();
    this.answeredAt.clear();
    this.late.clear();
    this.holders.clear();
    for (const key of [...this.runs.keys()]) if (!keep(key)) this.runs.delete(key);
    this.offered = [...this.runs.values()];
    this.copiesFailed = [];
  }

  finish(key: string, result: AttemptResult): void {
    this.running.delete(key);
    this.finished.set(key, result);
    this.endedAt.set(key, ++this.events);
    if (result.ok && result.run !== undefined) {
      this.runs.set(key, { run: result.run, emissionDigest: result.emissionDigest! });
    }
  }

  /** It has an answer that it has not given. */
  get hasAnswer(): boolean {
    return this.settled().some((job) => !this.answered.has(job));
  }

  private settled(): JobId[] {
    const running = new Set([...this.running.values()].map(({ assignment }) => assignment.attempt.job));
    return this.asked.filter((job) => !this.silent.has(job) && !running.has(job));
  }

  private start(assignment: Assignment): void {
    const { attempt, work } = assignment;
    const key = attemptKey(attempt);
    if (this.started.includes(key) || this.isDraining || this.running.size >= this.slots + this.slotsAhead) return;
    if (work.phase === "reduce" && !isWhole(this.holders.get(attempt.job), work.mapVersion)) return;
    this.started.push(key);
    this.ran.set(key, attempt);
    this.answered.delete(attempt.job);
    const holders = work.phase === "reduce" ? this.holders.get(attempt.job) : undefined;
    this.running.set(key, { assignment, holders, idleMs: 0, runningMs: 0 });
  }

  private stop(attempt: AttemptId): void {
    const key = attemptKey(attempt);
    this.started.push(key);
    this.running.delete(key);
  }

  private discard(job: JobId): void {
    this.discarded.add(job);
    this.holders.delete(job);
    for (const [key, { assignment }] of this.running) if (assignment.attempt.job === job) this.running.delete(key);
    for (const [key, result] of this.finished) if (result.attempt.job === job) this.finished.delete(key);
    for (const [key, { run }] of this.runs) if (run.writtenBy.job === job) this.runs.delete(key);
  }
}

function runningAttempt({ assignment, idleMs, runningMs, at, hasCheckpoint }: FakeAttempt): RunningAttempt {
  const { attempt } = assignment;
  return { attempt, records: 1, bytes: 10, idleMs, runningMs, at, ...(hasCheckpoint && { hasCheckpoint }) };
}
