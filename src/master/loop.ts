// The master: a short loop around the scheduler (the shape of etcd-raft's Ready loop).
//
//   queued events ─► step, one by one ─► commit all changes at once ─► perform the commands ─► answer the callers
//
// Nothing is answered, sent or shown before it is durable. When a commit fails, or leadership is lost, the state in
// memory is dropped and the master steps down: everything that waits is rejected, and nothing is rolled back by hand.
// The next leader recovers from the store.
import { assert, unreachable } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import type { Instant, JobId, WorkerId } from "../base/ids.ts";
import { failpoint } from "../base/system/failpoint.ts";
import type { JobSpec } from "../job/spec.ts";
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import { type ClusterView, hasEnded, type JobView } from "../protocol/view.ts";
import type { Scheduler, SchedulerCommand, SchedulerEvent, Step } from "../schedule/step.ts";
import type { Change, Leadership, StoredRecord } from "../state/store.ts";
import { Adoption, Presence } from "./adoption.ts";
import { clusterOf } from "./cluster-name.ts";
import { EventQueue, type QueuedEvent } from "./event-queue.ts";
import { jobIdOf, type Master, type MasterOptions } from "./master.ts";
import { Publisher } from "./publisher.ts";
import { Signal } from "./signal.ts";
import { WaitingCalls } from "./waiting-calls.ts";

/** Events that one commit may carry, which bounds its size and the time until the first event is answered. */
const eventsPerCommit = 1024;

/** Takes leadership, recovers the scheduler from the store and starts the loop. */
export async function createMaster(options: MasterOptions): Promise<Master> {
  const leadership = await options.store.lead(options.owner, options.signal ?? new AbortController().signal);
  try {
    const records: StoredRecord[] = [];
    for await (const record of options.store.scan("")) records.push(record);
    const noted = options.admit?.(records, leadership.epoch) ?? [];
    if (noted.length > 0) await leadership.commit(noted);
    const cluster = await clusterOf(records, leadership, options.newCluster ?? "");
    const scheduler = options.recover(records, leadership.epoch, options.scheduler, options.clock.now());
    return new MasterLoop(options, { leadership, scheduler, cluster, presence: new Presence(records) });
  } catch (error) {
    await leadership.resign().catch(() => {}); // what failed may be the store
    throw error;
  }
}

interface Recovered {
  readonly leadership: Leadership;
  readonly scheduler: Scheduler;
  readonly cluster: string;
  readonly presence: Presence;
}

class MasterLoop implements Master {
  readonly #options: MasterOptions;
  readonly #leadership: Leadership;
  readonly #scheduler: Scheduler;
  readonly #stop = new AbortController();
  readonly #queue = new EventQueue();
  readonly #calls: WaitingCalls;
  readonly #publisher: Publisher;
  readonly #running: Promise<void>;
  readonly #presence: Presence;
  readonly #notes: Change[] = [];
  readonly #resuming = new Map<JobId, Promise<void>>();
  #adoption: Adoption | undefined;
  #wake = new Signal();
  #changed = new Signal();
  #wakeAt: Instant | undefined;
  /** The view as of the last commit, kept while the scheduler is ahead of the store. */
  #committedView: ClusterView | undefined;
  #isCommitting = false;

  readonly cluster: string;

  constructor(options: MasterOptions, { leadership, scheduler, cluster, presence }: Recovered) {
    this.#options = options;
    this.cluster = cluster;
    this.#leadership = leadership;
    this.#scheduler = scheduler;
    this.#presence = presence;
    this.#calls = new WaitingCalls({
      clock: options.clock,
      heartbeatMs: options.heartbeatMs,
      ordersFor: (worker) => scheduler.ordersFor(worker),
      enqueue: (item) => this.#enqueue(item),
      overdue: () => this.#poke(),
    });
    this.#publisher = new Publisher({ ...options, stopped: this.stopped, happened: (event) => this.#happened(event) });
    if (this.#adoptMs > 0 && scheduler.view().jobs.some(({ state }) => !hasEnded(state))) {
      this.#adoption = new Adoption(presence.known, options.clock.now() + this.#adoptMs);
    }
    // A commit that is under way will report itself why it failed.
    leadership.lost.addEventListener("abort", () => this.#isCommitting || this.#stepDown(notLeader()), { once: true });
    // The first step gives the commands that a predecessor decided on and did not perform.
    this.#queue.add({ event: { kind: "clock-ticked" }, done: () => {}, failed: () => {} });
    this.#running = this.#run();
  }

  get epoch(): number {
    return this.#leadership.epoch;
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  async submit(spec: JobSpec, idempotencyKey: string): Promise<JobId> {
    const job = jobIdOf(idempotencyKey);
    await this.#happened({ kind: "job-submitted", job, spec, idempotencyKey });
    failpoint("master.afterSubmit");
    return job;
  }

  async cancel(job: JobId): Promise<"cancelled" | "too-late"> {
    this.#find(job);
    await this.#happened({ kind: "job-cancelled", job });
    return this.#find(job).state === "cancelled" ? "cancelled" : "too-late";
  }

  /** A caller that asks while a resume is under way waits for that one. */
  async resume(job: JobId, before?: () => Promise<void>): Promise<void> {
    this.#find(job);
    const resuming = this.#resuming.get(job) ?? this.#resume(job, before).finally(() => this.#resuming.delete(job));
    this.#resuming.set(job, resuming);
    await resuming;
  }

  async #resume(job: JobId, before: (() => Promise<void>) | undefined): Promise<void> {
    const decision = this.#scheduler.unpublished(job);
    const withdrawn = decision === undefined ? undefined : await this.#publisher.withdraw(decision);
    this.stopped.throwIfAborted();
    await before?.();
    await this.#happened({ kind: "job-resumed", job, withdrawn });
  }

  async drain(worker: WorkerId, withinMs?: number): Promise<void> {
    if (!this.view().workers.some(({ id }) => id === worker)) {
      throw new MillraceError("wrong-usage", `there is no worker ${worker}`);
    }
    await this.#happened({ kind: "worker-drained", worker, withinMs });
  }

  view(): ClusterView {
    this.stopped.throwIfAborted();
    return this.#view();
  }

  async *watch(job: JobId, signal?: AbortSignal): AsyncIterable<JobView> {
    for (;;) {
      this.stopped.throwIfAborted();
      const changed = this.#changed;
      const view = this.#find(job);
      yield view;
      if (hasEnded(view.state)) return;
      await changed.wait(signal);
      if (signal?.aborted) return;
    }
  }

  async heartbeat(report: WorkerReport, signal?: AbortSignal): Promise<WorkerOrders> {
    this.stopped.throwIfAborted();
    return await this.#calls.heartbeat(report, signal);
  }

  note(changes: readonly Change[]): void {
    this.#notes.push(...changes);
    this.#poke();
  }

  async close(): Promise<void> {
    this.#stepDown(new MillraceError("not-leader", "the master was closed"));
    await this.#running;
    await this.#publisher.settled();
    await this.#leadership.resign().catch(() => {}); // the store may be what failed
  }

  // ── the loop ───────────────────────────────────────────────────────────────

  async #run(): Promise<void> {
    try {
      while (!this.stopped.aborted) {
        await this.#sleepUntilNeeded();
        if (this.stopped.aborted) return;
        await this.#turn();
      }
    } catch (error) {
      this.#stepDown(error);
    }
  }

  async #turn(): Promise<void> {
    const batch = this.#queue.take(eventsPerCommit);
    const now = this.#options.clock.now();
    this.#committedView ??= this.#scheduler.view();
    if (this.#wakeAt !== undefined && this.#wakeAt <= now) {
      batch.push({ event: { kind: "clock-ticked" }, done: () => {}, failed: () => {} });
    }
    const changes: Change[] = this.#notes.splice(0);
    const commands: SchedulerCommand[] = [];
    const steps: Step[] = [];
    try {
      for (const { event } of batch) {
        const step = this.#scheduler.step(this.#asItCounts(event, now), now);
        steps.push(step);
        changes.push(...step.changes, ...this.#presenceOf(event, step));
        commands.push(...step.commands);
        this.#wakeAt = step.wakeAt;
      }
      if (changes.length > 0) await this.#commit(changes);
      if (this.#leadership.lost.aborted) throw notLeader();
      this.stopped.throwIfAborted();
    } catch (error) {
      for (const item of batch) item.failed(error);
      throw error;
    }
    this.#committedView = undefined;
    this.#tell(steps);
    for (const item of batch) item.done();
    for (const command of commands) this.#perform(command);
    if (this.#adoption?.isOver(now)) {
      // Every worker is to report its free slots again.
      this.#adoption = undefined;
      this.#calls.hurry();
    }
    this.#calls.answerOverdue();
    if (batch.length > 0) this.#announce();
  }

  get #adoptMs(): number {
    return this.#options.adoptMs ?? 0;
  }

  #asItCounts(event: SchedulerEvent, now: Instant): SchedulerEvent {
    const adoption = this.#adoption;
    if (event.kind !== "worker-heard" || adoption === undefined || adoption.isOver(now)) return event;
    return { ...event, report: adoption.heard(event.report) };
  }

  #presenceOf(event: SchedulerEvent, step: Step): readonly Change[] {
    if (this.#adoptMs === 0) return [];
    const left = this.#presence.noted(step.facts);
    return event.kind === "worker-heard" ? [...left, ...this.#presence.heard(event.report.worker)] : left;
  }

  /** Tells the observer and the history. An error there must not end the master. */
  #tell(steps: readonly Step[]): void {
    const { observer } = this.#options;
    try {
      for (const step of steps) observer?.stepped?.(step);
    } catch (error) {
      observer?.failed?.("noting what happened", error);
    }
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    failpoint("master.beforeCommit");
    this.#isCommitting = true;
    const { clock, observer } = this.#options;
    const startedAt = clock.now();
    try {
      await this.#leadership.commit(changes);
    } finally {
      this.#isCommitting = false;
    }
    observer?.committed?.({ changes: changes.length, bytes: bytesOf(changes), ms: clock.now() - startedAt });
    failpoint("master.afterCommit");
  }

  #perform(command: SchedulerCommand): void {
    switch (command.kind) {
      case "send-orders":
        this.#calls.answer(command.worker, command.orders);
        return;
      case "look-at-files":
        this.#publisher.lookAt(command);
        return;
      case "publish-output":
        this.#publisher.publish(command.decision);
        return;
      case "discard-job":
        this.#publisher.discard(command.destination, command.job);
        return;
      default:
        unreachable(command);
    }
  }

  /** Returns when there is an event, an overdue call or a tick to send, or when the loop is to end. */
  async #sleepUntilNeeded(): Promise<void> {
    while (!this.stopped.aborted && this.#queue.length === 0 && !this.#calls.hasOverdue && this.#notes.length === 0) {
      const now = this.#options.clock.now();
      const wakeAt = Math.min(this.#wakeAt ?? Infinity, this.#adoption?.until ?? Infinity);
      if (wakeAt <= now) return;
      const woken = this.#wake;
      if (wakeAt === Infinity) {
        await woken.wait();
      } else {
        const timer = new AbortController();
        await Promise.race([woken.wait(), this.#options.clock.sleep(wakeAt - now, timer.signal)]);
        timer.abort();
      }
    }
  }

  #happened(event: SchedulerEvent): Promise<void> {
    return new Promise((done, failed) => this.#enqueue({ event, done, failed }));
  }

  #enqueue(item: QueuedEvent): void {
    if (this.stopped.aborted) {
      item.failed(this.stopped.reason);
      return;
    }
    if (this.#queue.add(item)) this.#poke();
  }

  #poke(): void {
    const wake = this.#wake;
    this.#wake = new Signal();
    wake.raise();
  }

  #announce(): void {
    const changed = this.#changed;
    this.#changed = new Signal();
    changed.raise();
  }

  #stepDown(error: unknown): void {
    if (this.stopped.aborted) return;
    this.#stop.abort(error);
    for (const item of this.#queue.take(Infinity)) item.failed(error);
    this.#calls.reject(error);
    this.#poke();
    this.#announce();
  }

  #view(): ClusterView {
    if (this.#committedView !== undefined) return this.#committedView;
    assert(!this.#isCommitting, "the view of a commit under way is taken before it");
    this.#committedView = this.#scheduler.view();
    return this.#committedView;
  }

  #find(job: JobId): JobView {
    const view = this.#view().jobs.find((candidate) => candidate.job === job);
    if (view === undefined) throw new MillraceError("wrong-usage", `there is no job ${job}`);
    return view;
  }
}

function notLeader(): MillraceError {
  return new MillraceError("not-leader", "another master leads now; this one has stopped");
}

function bytesOf(changes: readonly Change[]): number {
  let bytes = 0;
  for (const change of changes) if ("put" in change) bytes += change.put.value.length;
  return bytes;
}
