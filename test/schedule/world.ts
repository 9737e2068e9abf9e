// A small world around the real scheduler: a store, workers that crash, pause and lose disks, a network that loses,
// repeats and reorders, masters that die between any two records of a commit. One seed decides everything. After
// every step the checks run; what is checked is written at each of them.
import { isDeepStrictEqual } from "node:util";
import { assert } from "../../src/base/assert.ts";
import { type AttemptId, attemptName, type JobId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import type {
  AttemptResult,
  CopyOrder,
  Failure,
  Holders,
  Offer,
  WorkerOrders,
  WorkerReport,
} from "../../src/protocol/messages.ts";
import { parseKey } from "../../src/protocol/records.ts";
import { ordersFor } from "../../src/schedule/assign/orders.ts";
import { unpublished } from "../../src/schedule/commit.ts";
import { recoverCluster } from "../../src/schedule/recover.ts";
import { stepCluster } from "../../src/schedule/scheduler.ts";
import { isActive } from "../../src/schedule/state/job.ts";
import type { Cluster } from "../../src/schedule/state/state.ts";
import { attemptKey, isDone } from "../../src/schedule/state/task.ts";
import type { SchedulerCommand, SchedulerEvent, SchedulerOptions, WithdrawnDecision } from "../../src/schedule/step.ts";
import { viewOf } from "../../src/schedule/view.ts";
import type { Change, StoredRecord } from "../../src/state/store.ts";
import type { CommitDecision } from "../../src/storage/storage.ts";
import { decodeOrders, decodeReport, encodeOrders, encodeReport } from "../../src/wire/convert.ts";
import { decodeDecision } from "../../src/wire/stored/commit.ts";
import { assertEqual, checkJob, durable, Told } from "./bookkeeping.ts";
import { done, failed, options, plan, spec, text } from "./build.ts";
import { type FakeAttempt, FakeWorker } from "./fake-worker.ts";

type Message =
  | { readonly to: "master"; readonly report: WorkerReport }
  | { readonly to: "worker"; readonly worker: string; readonly report: WorkerReport; readonly orders: WorkerOrders };

/** What happened in a world, so that a test can see that its faults did happen. */
export type Sightings = Map<string, number>;

export class World {
  readonly seed: number;
  readonly random: () => number;
  readonly sightings: Sightings;
  readonly workers: FakeWorker[];
  /** Workers that do nothing until then. */
  readonly pausedUntil = new Map<string, number>();
  readonly store = new Map<string, Uint8Array>();
  readonly network: Message[] = [];
  readonly waiting = new Map<string, WorkerReport>();
  readonly publishing: CommitDecision[] = [];
  readonly looking: Extract<SchedulerCommand, { readonly kind: "look-at-files" }>[] = [];
  /** Tokens of staged files that are gone. */
  readonly lost = new Set<string>();
  readonly published = new Map<JobId, CommitDecision>();
  readonly jobs: JobId[] = [];
  /** Which digests a reduce attempt read, by its key. */
  readonly read = new Map<string, { job: JobId; digests: readonly bigint[] }>();
  readonly ends = new Map<JobId, string>();
  readonly startedBy = new Map<string, string>();
  told = new Told();
  epoch = 1;
  now = 0;
  isFaulty = true;
  /** "w1>w2": w1 can't fetch from w2. */
  readonly cuts = new Set<string>();
  /** Which kinds of faults this world has (swarm testing): a world with all of them never gets far. */
  readonly faults: ((worker: FakeWorker) => void)[];
  readonly failureRate: number;
  /** The map task that has a record on which its process dies, always; -1: none. */
  readonly poisoned: number;
  readonly options: SchedulerOptions;
  readonly dyingRate: number;
  cluster: Cluster;

  constructor(seed: number, sightings: Sightings) {
    this.seed = seed;
    this.random = seededRandom(seed, 1);
    this.sightings = sightings;
    this.workers = Array.from(
      { length: 1 + this.pick(4) },
      (_, index) => new FakeWorker(`w${index}`, 1 + this.pick(3)),
    );
    for (const worker of this.workers) {
      worker.copy = (order) => this.copy(worker, order);
      worker.left = () => this.leave(worker);
    }
    const all = [
      (worker: FakeWorker) => this.restartWorker(worker),
      (worker: FakeWorker) => this.pause(worker),
      () => this.failOver(this.store),
      () => this.chance(0.1) && this.cancel(),
      (worker: FakeWorker) => this.idle(worker),
      (worker: FakeWorker) => this.damage(worker),
      () => this.resume(),
      (worker: FakeWorker) => this.chance(0.2) && this.drain(worker),
      (worker: FakeWorker) => this.cut(worker),
      (worker: FakeWorker) => this.chance(0.1) && this.flap(worker),
      (worker: FakeWorker) => this.chance(0.1) && this.callLate(worker),
    ];
    this.faults = all.filter(() => this.chance(0.5));
    this.failureRate = [0, 0.1, 0.4][this.pick(3)]!;
    this.dyingRate = [0, 0.02, 0.1][this.pick(3)]!;
    this.poisoned = this.pick(8) - 4;
    this.options = {
      ...options,
      keepFailed: this.chance(0.5),
      ...(this.chance(0.3) && { keepFailedMs: this.pick(60_000) }),
      ...(this.chance(0.3) && { endedJobsKept: 1 + this.pick(3) }),
    };
    this.cluster = recoverCluster([], this.epoch, this.options, this.now);
  }

  pick(below: number): number {
    return Math.floor(this.random() * below);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  saw(what: string): void {
    this.sightings.set(what, (this.sightings.get(what) ?? 0) + 1);
  }

  submit(): void {
    const job = `j${this.jobs.length}`;
    this.jobs.push(job);
    this.step({
      kind: "job-submitted",
      job,
      idempotencyKey: job,
      spec: spec({
        skipBad: this.pick(4),
        attemptsMax: 4 + this.pick(3),
        nondeterministic: this.chance(0.1) ? "fail" : "rerun",
        taskLimitMs: this.chance(0.5) ? 60_000 : undefined,
        maxSlots: this.chance(0.3) ? 1 + this.pick(3) : undefined,
      }),
    });
  }

  /** Something happens. */
  act(): void {
    const worker = this.workers[this.pick(this.workers.length)]!;
    const isPaused = (this.pausedUntil.get(worker.id) ?? 0) > this.now;
    const dice = this.random();
    if (dice < 0.25) {
      if (!isPaused) this.send({ to: "master", report: worker.report() });
    } else if (dice < 0.65) this.deliver();
    else if (dice < 0.85) {
      if (!isPaused) this.endAttempt(worker);
    } else if (dice < 0.9) this.pass(this.pick(2_000));
    else if (dice < 0.95) this.answer(worker.id);
    else if (dice < 0.96) this.look();
    else if (dice < 0.97) this.publish();
    else this.disturb(worker);
  }

  private disturb(worker: FakeWorker): void {
    const fault = this.faults[this.pick(this.faults.length)];
    if (!this.isFaulty || fault === undefined) return;
    fault(worker);
  }

  /** From here on nothing fails, and every worker reports again and again. */
  heal(): void {
    this.isFaulty = false;
    // Of two workers one may stay cut off for ever: jobs end all the same.
    if (this.chance(0.5)) this.cuts.clear();
    this.pausedUntil.clear();
    for (const worker of this.workers)
      if (worker.isDraining || this.cluster.workers.get(worker.id)?.isToDrain) worker.restart();
    for (let round = 0; round < 400; round++) {
      for (const worker of this.workers) {
        for (const key of [...worker.running.keys()]) this.endAttempt(worker, key);
        this.send({ to: "master", report: worker.report() });
      }
      while (this.network.length > 0) this.deliver();
      for (const worker of this.workers) this.answer(worker.id);
      while (this.network.length > 0) this.deliver();
      while (this.looking.length > 0) this.look();
      while (this.publishing.length > 0) this.publish();
      this.pass(1_000);
      if ([...this.cluster.jobs.values()].every((job) => job.ended !== undefined)) return;
    }
    throw new Error("jobs did not end though nothing failed any more"); // I16
  }

  step(event: SchedulerEvent): void {
    const { changes, commands, facts } = stepCluster(this.cluster, event, this.now);
    for (const fact of facts) {
      this.saw(`fact ${fact.kind}`);
      this.told.hear(fact);
    }
    for (const change of changes) {
      if (!("put" in change) || parseKey(change.put.key)?.kind !== "decision") continue;
      this.checkDecision(decodeDecision(change.put.value));
    }
    if (this.isFaulty && changes.length > 0 && this.chance(this.dyingRate)) {
      // A crash within the commit: any prefix of it may be durable, and no command was performed.
      const prefix = this.pick(changes.length + 1);
      if (prefix < changes.length) this.saw("commit cut");
      apply(this.store, changes.slice(0, prefix));
      if (event.kind === "job-submitted" && !this.store.has(`job/${event.job}/spec`)) this.jobs.pop();
      this.failOver(this.store);
      return;
    }
    apply(this.store, changes);
    this.check(changes.length > 0);
    for (const command of commands) this.perform(command);
  }

  private perform(command: SchedulerCommand): void {
    switch (command.kind) {
      case "send-orders":
        this.reply(command.worker, command.orders);
        return;
      case "look-at-files":
        this.looking.push(command);
        return;
      case "publish-output":
        this.checkPublished(command.decision);
        this.publishing.push(command.decision);
        return;
      case "discard-job":
        // I9: staged files are removed only once nothing will publish them.
        assert(
          !this.cluster.jobs.has(command.job) || this.store.has(`job/${command.job}/ended`),
          "discarded before it has ended",
        );
        return;
    }
  }

  private answer(worker: string): void {
    if (this.waiting.has(worker)) this.reply(worker, ordersFor(this.cluster, worker));
  }

  private reply(worker: string, orders: WorkerOrders): void {
    const report = this.waiting.get(worker);
    if (report === undefined) return;
    this.waiting.delete(worker);
    for (const { job, from, total, workers } of orders.holders) {
      const count = workers.reduce((sum, holder) => sum + holder.runs.length, 0);
      assert(total === this.cluster.jobs.get(job)!.maps.length, "holders that are not complete");
      assert((count > 0 || total === 0) && from + count <= total, "a page that is no part of the whole");
    }
    if (orders.mayLeave === true) this.checkRelease(worker);
    this.send({ to: "worker", worker, report, orders: decodeOrders(encodeOrders(orders)) });
  }

  /** I18: a worker is told that it may leave when no map output that a reduce still needs counts there. */
  private checkRelease(worker: string): void {
    for (const job of this.cluster.jobs.values()) {
      if (!isActive(job) || job.reducesWon === job.reduces.length) continue;
      for (const { winner } of job.maps) {
        const isHere = winner?.run !== undefined && winner.runLost === undefined && winner.worker === worker;
        assert(!isHere, `${worker} may leave with a run that counts`);
      }
    }
  }

  private send(message: Message): void {
    if (this.isFaulty && this.chance(0.05)) {
      this.saw("message lost");
      return;
    }
    this.network.push(message);
    if (this.isFaulty && this.chance(0.05)) {
      this.saw("message twice");
      this.network.push(message);
    }
  }

  private deliver(): void {
    if (this.network.length === 0) return;
    const at = this.isFaulty && this.chance(0.3) ? this.pick(this.network.length) : 0;
    const [message] = this.network.splice(at, 1);
    if (message!.to === "worker") {
      this.workers.find(({ id }) => id === message!.worker)!.follow(message!.orders, message!.report);
      this.checkStarts();
      return;
    }
    const { report } = message!;
    this.answer(report.worker);
    const epoch = this.epoch;
    this.waiting.set(report.worker, report);
    this.step({ kind: "worker-heard", report: decodeReport(encodeReport(report)) });
    if (epoch !== this.epoch) this.waiting.clear();
  }

  private endAttempt(worker: FakeWorker, chosen?: string): void {
    const key = chosen ?? [...worker.running.keys()][this.pick(worker.running.size)];
    const attempt = key === undefined ? undefined : worker.running.get(key);
    if (attempt !== undefined) worker.finish(key!, this.result(worker, attempt));
  }

  private result(worker: FakeWorker, { assignment, holders }: FakeAttempt): AttemptResult {
    const { attempt, work, careful } = assignment;
    if (work.phase === "reduce") {
      const lost = this.gather(worker, attempt, holders);
      if (lost !== undefined) {
        const { map, how } = lost;
        this.saw(`segment ${how}`);
        return failed(attempt, { kind: "segment-lost", how, map, error: text(`no ${attemptName(map)}`) });
      }
    }
    if (work.phase === "map" && attempt.index === this.poisoned && work.skip.length === 0) {
      this.saw("slot died");
      const at = { file: attempt.index, offset: 5 };
      return failed(attempt, { kind: "slot-died", error: text("died", "slot-died"), at, careful });
    }
    if (this.isFaulty && this.chance(this.failureRate))
      return failed(attempt, this.failure(careful, work.phase === "map"));
    if (work.phase === "plan") return done(assignment, { plan: plan(this.pick(8), this.pick(8)) });
    const skipped = work.phase === "map" ? work.skip : [];
    // A few maps emit something else each time.
    const digest = BigInt(attempt.index + 1) + (attempt.index % 3 === 1 && this.chance(0.5) ? 100n : 0n);
    return done(assignment, { digest, deadLetters: skipped, file: this.seed % 2 === 0 });
  }

  /** A worker copies a run from one that leaves, or can't. */
  private copy({ id }: FakeWorker, { run, from }: CopyOrder): Offer | string {
    const holder = this.workers.find((other) => other.id === from)!;
    if (this.cuts.has(`${id}>${from}`)) return "it can't be reached";
    if (this.isFaulty && this.chance(0.2)) return "the disk is full";
    const found = holder.runs.get(attemptKey(run.writtenBy));
    if (found === undefined) return "it is not there";
    return { ...found, run: { ...found.run, path: `/${id}${found.run.path}` } };
  }

  /** A worker has been told that nothing of its is needed: it ends, with its disk, and another comes in its place. */
  private leave(worker: FakeWorker): void {
    this.saw("worker left");
    for (const reader of this.workers) {
      for (const [key, { holders }] of reader.running) {
        const isWanted = this.cluster.workers.get(reader.id)?.attempts.get(key)?.state === "running";
        const reads = holders?.workers.some(({ worker: id, runs }) => id === worker.id && runs.length > 0) === true;
        assert(!isWanted || !reads, `${key} on ${reader.id} reads from ${worker.id}, which has left`); // I18
      }
    }
    worker.restart(() => false);
  }

  private failure(careful: boolean, isMap: boolean): Failure {
    switch (this.pick(8)) {
      case 0:
        return {
          kind: "user-error",
          error: text(`oops ${this.pick(3)}`),
          at: { file: 0, offset: this.pick(2) },
          final: false,
        };
      case 1:
      case 2:
      case 3:
      case 4:
        this.saw("slot died");
        return {
          kind: "slot-died",
          error: text("died", "slot-died"),
          at: isMap ? { file: 0, offset: this.pick(2) } : undefined,
          careful,
        };
      case 5:
        if (this.chance(0.05)) return { kind: "bad-input", error: text("bad"), at: undefined };
        return { kind: "infrastructure", error: text("disk", "io-error") };
      default:
        return { kind: "infrastructure", error: text("disk", "io-error") };
    }
  }

  /** Reads the runs that the holders name; returns one that is not there. */
  private gather(
    worker: FakeWorker,
    attempt: AttemptId,
    holders: Holders | undefined,
  ): { readonly map: AttemptId; readonly how: "missing" | "corrupt" | "unreachable" } | undefined {
    const digests: bigint[] = [];
    for (const { worker: id, runs } of holders?.workers ?? []) {
      const holder = this.workers.find((candidate) => candidate.id === id)!;
      for (const { writtenBy } of runs) {
        if (this.cuts.has(`${worker.id}>${id}`)) return { map: writtenBy, how: "unreachable" };
        const held = holder.runs.get(attemptKey(writtenBy));
        if (held === undefined) return { map: writtenBy, how: "missing" };
        if (this.isFaulty && this.chance(0.03)) return { map: writtenBy, how: "corrupt" };
        digests[writtenBy.index] = held.emissionDigest;
      }
    }
    this.read.set(attemptKey(attempt), { job: attempt.job, digests });
    return undefined;
  }

  /** Some of them may be gone. */
  private look(): void {
    const command = this.looking.shift();
    if (command === undefined) return;
    const files = command.folders.flatMap((folder) => folder.files);
    // What was gone when an older look was answered, which no one waits for any more, is gone still.
    const lost = files.filter(({ token }) => this.lost.has(token) || (this.isFaulty && this.chance(0.1)));
    for (const { token } of lost) this.lost.add(token);
    if (lost.length > 0) this.saw("staged file gone");
    const { job, look } = command;
    this.step({
      kind: "files-looked-at",
      job,
      look,
      lost: lost.map(({ token }) => ({ token, why: "is missing" })),
    });
  }

  private publish(): void {
    const decision = this.publishing.shift();
    if (decision === undefined) return;
    if (this.isFaulty && !this.published.has(decision.job) && this.chance(0.2)) {
      this.saw("publishing failed");
      this.step({ kind: "output-failed", job: decision.job, error: text("a file is gone", "corrupt-output") });
      return;
    }
    const before = this.published.get(decision.job);
    // I2: what is visible never changes.
    assert(before === undefined || isDeepStrictEqual(before, decision), "published twice, differently");
    assert(this.store.has(`job/${decision.job}/decision`) || this.ends.has(decision.job), "published undecided");
    this.published.set(decision.job, decision);
    this.step({ kind: "output-published", job: decision.job });
  }

  private cancel(): void {
    const job = this.jobs[this.pick(this.jobs.length)];
    if (job === undefined) return;
    const isDecided = this.store.has(`job/${job}/decision`);
    this.step({ kind: "job-cancelled", job });
    const state = viewOf(this.cluster).jobs.find((view) => view.job === job)?.state;
    if (isDecided) assert(state !== "cancelled", "cancelled after the decision");
    this.saw(`cancel: ${state}`);
  }

  private resume(): void {
    const over = this.jobs.filter((id) => this.cluster.jobs.get(id)?.ended?.outcome === "failed");
    const job = over[this.pick(over.length)];
    if (job === undefined) return;
    if (this.cluster.jobs.get(job)?.ended?.kept) this.ends.delete(job);
    this.step({ kind: "job-resumed", job, withdrawn: this.withdrawn(job) });
    this.saw(`resumed: ${this.cluster.jobs.get(job)?.stage}`);
  }

  /** Some files of a decision are gone. Not where all of it is visible already. */
  private withdrawn(job: JobId): WithdrawnDecision | undefined {
    const decision = unpublished(this.cluster, job);
    if (decision === undefined || this.published.has(job) || this.chance(0.3)) return undefined;
    this.saw("decision withdrawn");
    const tokens = new Map<string, string | undefined>();
    for (const { token } of decision.files) {
      const isLost = this.chance(0.5);
      tokens.set(token, isLost ? undefined : `${this.epoch}=${token}`);
      if (isLost) this.lost.add(token);
    }
    return { decision, tokens };
  }

  /** The wish is not forgotten by another master; heal() starts those again that follow it. */
  private drain(worker: FakeWorker): void {
    if (!this.cluster.workers.has(worker.id)) return;
    this.saw("drain wished");
    this.step({ kind: "worker-drained", worker: worker.id });
  }

  private restartWorker(worker: FakeWorker): void {
    const keepsDisk = this.chance(0.5);
    this.saw(keepsDisk ? "worker restarted" : "worker restarted without its disk");
    worker.restart((_key) => keepsDisk && this.chance(0.9));
  }

  /** One way, or both. */
  private cut(worker: FakeWorker): void {
    const other = this.workers[this.pick(this.workers.length)]!;
    if (other === worker) return;
    this.saw("cut");
    this.cuts.add(`${worker.id}>${other.id}`);
    if (this.chance(0.5)) this.cuts.add(`${other.id}>${worker.id}`);
    if (this.chance(0.3)) this.cuts.clear();
  }

  private flap(worker: FakeWorker): void {
    for (let times = 0; times < 7; times++) {
      worker.restart();
      this.step({ kind: "worker-heard", report: worker.report() });
      this.pass(100);
    }
  }

  private pause(worker: FakeWorker): void {
    this.saw("worker paused");
    this.pausedUntil.set(worker.id, this.now + this.pick(25_000));
  }

  /** The code of an attempt that runs, or has, does something that no one waits for. */
  private callLate(worker: FakeWorker): void {
    const ran = [...worker.ran];
    const [key, attempt] = ran[this.pick(ran.length)] ?? [];
    if (key === undefined || attempt === undefined) return;
    this.saw("late call");
    worker.late.set(key, { attempt, error: text("emit was called late", "late-call") });
  }

  /** A run is lost, which is not noticed before it is read. */
  private damage(worker: FakeWorker): void {
    const key = [...worker.runs.keys()][this.pick(worker.runs.size)];
    if (key !== undefined) worker.runs.delete(key);
  }

  private idle(worker: FakeWorker): void {
    for (const attempt of worker.running.values()) {
      attempt.runningMs += 30_000;
      attempt.at = { file: 0, offset: this.pick(2) };
      if (this.chance(0.3)) attempt.idleMs += 700_000;
      if (this.chance(0.3)) attempt.hasCheckpoint = true;
    }
  }

  private pass(ms: number): void {
    this.now += ms;
    if (this.cluster.wakeAt !== undefined && this.cluster.wakeAt <= this.now) this.step({ kind: "clock-ticked" });
  }

  /** Another master takes over, with what the store holds. */
  private failOver(store: ReadonlyMap<string, Uint8Array>): void {
    this.saw("failover");
    this.waiting.clear();
    this.publishing.length = 0;
    this.looking.length = 0;
    this.told = new Told();
    this.epoch++;
    this.cluster = recoverCluster(recordsOf(store), this.epoch, this.options, this.now);
    this.step({ kind: "clock-ticked" });
  }

  private recovered(store: ReadonlyMap<string, Uint8Array>): Cluster {
    return recoverCluster(recordsOf(store), this.epoch + 1, this.options, this.now);
  }

  // ── checks ─────────────────────────────────────────────────────────────────

  private check(isChanged: boolean): void {
    if (isChanged) this.told.check(this.cluster);
    for (const job of this.cluster.jobs.values()) {
      if (job.stage !== "over") {
        checkJob(job, this.options);
        if ([...job.maps, ...job.reduces].some((task) => task.attempts.length === 2)) this.saw("backup");
      }
      const end = job.ended?.outcome;
      // I9: a job ends once.
      const before = this.ends.get(job.id);
      assert(before === undefined || before === end, `${job.id} ended ${before}, then ${end}`);
      if (end !== undefined) this.ends.set(job.id, end);
    }
    for (const worker of this.cluster.workers.values()) {
      // I11: never more attempts than slots.
      let live = 0;
      for (const attempt of worker.attempts.values()) if (attempt.state !== "stopping") live++;
      assert(live <= Math.max(worker.slots, 1), `${live} attempts for ${worker.slots} slots`);
      assert(!worker.isSilent || live === 0, "a silent worker has attempts");
    }
    // A scheduler recovered from the store equals the running one.
    if (this.chance(isChanged ? 0.2 : 0.02)) assertEqual(durable(this.recovered(this.store)), durable(this.cluster));
  }

  /** I6: an attempt is executed once, by one worker, in one of its lives. */
  private checkStarts(): void {
    for (const worker of this.workers) {
      for (const key of worker.running.keys()) {
        const by = `${worker.id}.${worker.incarnation}`;
        const before = this.startedBy.get(key);
        assert(before === undefined || before === by, `${key} ran on ${before} and on ${by}`);
        this.startedBy.set(key, by);
      }
    }
  }

  /**
   * What is published was decided, and stands as it was, whatever is lost since: another master's decision, and that of
   * a job that is resumed once publishing it has failed.
   */
  private checkPublished(decision: CommitDecision): void {
    assertEqual(decision, decodeDecision(this.store.get(`job/${decision.job}/decision`)!));
    if (decision.files.some(({ token }) => this.lost.has(token))) this.saw("a decided file is gone");
  }

  /** When it is made. I7: each reduce that counts read what the winner of each map emitted. */
  private checkDecision(decision: CommitDecision): void {
    const job = this.cluster.jobs.get(decision.job)!;
    const fromMaps = job.reduces.length === 0 || this.seed % 2 === 0 ? job.maps.length : 0;
    assert(decision.files.length === job.reduces.length + fromMaps, "not all parts");
    for (const { token } of decision.files)
      assert(token !== "" && !this.lost.has(token), "a file is decided that is gone");
    const emitted = job.maps.map((task) => task.winner?.emissionDigest);
    for (const task of job.reduces) {
      const read = this.read.get(attemptKey(task.winner!.attempt));
      assertEqual(read?.digests, emitted);
    }
    // I18: each worker that is heard, and ran something of it in this life, has answered.
    for (const fake of this.workers) {
      const worker = this.cluster.workers.get(fake.id);
      if (worker === undefined || worker.isSilent || worker.incarnation !== fake.incarnation) continue;
      for (const { winner } of [...job.maps, ...job.reduces]) {
        const endedAt = fake.endedAt.get(attemptKey(winner!.attempt));
        const answeredAt = fake.answeredAt.get(job.id) ?? 0;
        assert(endedAt === undefined || answeredAt > endedAt, `decided, and ${fake.id} has not answered`);
      }
    }
    this.saw("decision");
    if (job.digestRollbacks > 0) this.saw("decision after a rollback");
    if (job.maps.some((task) => !isDone(task))) this.saw("decision with a lost run");
    if (job.maps.some((task) => task.skip.length > 0)) this.saw("decision with a skipped record");
  }
}

export function recordsOf(store: ReadonlyMap<string, Uint8Array>): StoredRecord[] {
  return [...store].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function apply(store: Map<string, Uint8Array>, changes: readonly Change[]): void {
  for (const change of changes) {
    if ("put" in change) store.set(change.put.key, change.put.value);
    else store.delete(change.delete);
  }
}
