// The agent: keeps slots busy, leases alive, and map outputs until their job ends. It never runs user code, so nothing that a
// job does delays a heartbeat.
//
// It makes one call, again and again: a report of all it knows, answered by all it must do (DESIGN 5.2). A report with news is
// sent at once; the master then ends the older call. Replies may come twice, late or in another order: every order is one
// that may be repeated, an attempt id is started once and never again, and orders of an epoch lower than the highest seen are
// not followed.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
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
  RunningAttempt,
  WorkerOrders,
  WorkerReport,
} from "../rpc/messages.ts";
import type { RunRef } from "../sort/run.ts";
import { type Budget, tierShare } from "./budget.ts";
import { residentBytes } from "./process-identity.ts";
import type { Bundle, TaskSlot } from "./slot.ts";

export interface AgentOptions {
  readonly worker: WorkerId;
  /** Grows with each start of this worker. */
  readonly incarnation: number;
  readonly address: string;
  readonly master: Heartbeats;
  readonly clock: Clock;
  readonly budget: Budget;
  /** One directory per attempt is made in each; undefined: no memory tier. */
  readonly runs: { readonly memory: string | undefined; readonly disk: string };
  /** Working directories of attempts. */
  readonly slots: string;
  /** Starts a process; `name` is unique within this agent's life. */
  readonly openSlot: (name: string) => TaskSlot;
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
  /** Starts slots before there is anything to do, so that their start-up is over when there is. */
  prestart(slots: number): void;
  /** What a bundle says of its job. The slot that answered goes on to run the job's first attempt. */
  describe(bundle: Bundle): Promise<JobDescription>;
  /** Finishes what runs and takes nothing new; resolves when the last result is acknowledged. */
  drain(): Promise<void>;
  /** Kills all slots and ends the calls. Files stay: who owns the directories removes them. */
  close(): Promise<void>;
}

/** Between two looks at the memory of running slots. */
const watchdogMs = 250;
/** Until a revoked attempt that does not end by itself is killed. */
const stopGraceMs = 500;
/** A module that loads longer than this is stuck. */
const describeTimeoutMs = 60_000;
/** After a call that failed: doubled up to the heartbeat's interval. */
const retryMsMin = 50;

interface SlotEntry {
  readonly slot: TaskSlot;
  /** The one job whose code it may run, ever. */
  job: JobId | undefined;
  isBusy: boolean;
}

interface Running {
  readonly attempt: AttemptId;
  readonly startedAt: Instant;
  tierBytes: number;
  entry: SlotEntry | undefined;
  isStopped: boolean;
  beats: number;
  movedAt: Instant;
}

interface JobFiles {
  /** Ids that were ever started here: a delayed order must not start one again. */
  readonly seen: Set<string>;
  places: Places | undefined;
  /** Bytes of kept runs in the memory tier. */
  heldBytes: number;
}

export function startAgent(options: AgentOptions): Agent {
  return new WorkerAgent(options);
}

class WorkerAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #slots = new Set<SlotEntry>();
  readonly #running = new Map<string, Running>();
  readonly #finished = new Map<string, AttemptResult>();
  readonly #jobs = new Map<JobId, JobFiles>();
  readonly #discarded = new Set<JobId>();
  readonly #calls: Promise<void>;
  readonly #watchdog: Promise<void>;
  #offered: WorkerReport["offered"];
  #news = new AbortController();
  #drained: { resolve: () => void; promise: Promise<void> } | undefined;
  #sequence = 0;
  #slotNames = 0;
  #epoch = 0;
  #leaseMs: number = limits.leaseMs;
  /** When the newest report that was answered had been sent: the lease runs from there. */
  #heardAt: Instant;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#offered = options.offered ?? [];
    for (const { run } of this.#offered) this.#keep(run);
    this.#heardAt = options.clock.now();
    this.#calls = this.#callMaster();
    this.#watchdog = this.#watch();
  }

  prestart(slots: number): void {
    while (this.#slots.size < Math.min(slots, this.#options.budget.slots)) this.#openSlot(undefined);
  }

  async describe(bundle: Bundle): Promise<JobDescription> {
    const entry =
      [...this.#slots].find((candidate) => candidate.slot.bundle === undefined) ?? this.#openSlot(undefined);
    entry.isBusy = true;
    const timer = new AbortController();
    const tooLong = this.#clock.sleep(describeTimeoutMs, timer.signal).then(() => {
      if (!timer.signal.aborted) entry.slot.kill({ kind: "stopped" });
      throw new MillraceError(
        "wrong-job",
        `the job's module did not finish loading within ${describeTimeoutMs / 1000} s`,
      );
    });
    try {
      const described = (async () => {
        await entry.slot.load(bundle);
        return await entry.slot.describe();
      })();
      return await Promise.race([described, tooLong]);
    } finally {
      timer.abort();
      tooLong.catch(() => {}); // its time did not come
      entry.isBusy = false;
    }
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
    for (const entry of this.#slots) entry.slot.kill({ kind: "stopped" });
    await Promise.all([...this.#slots].map((entry) => entry.slot.ended));
    await Promise.all([this.#calls, this.#watchdog]);
  }

  // ── the call ───────────────────────────────────────────────────────────────

  async #callMaster(): Promise<void> {
    let retryMs = retryMsMin;
    while (!this.#closing.signal.aborted) {
      this.#news = new AbortController();
      const news = this.#news.signal;
      const outcome = await this.#call(news);
      if (outcome === "failed") {
        await this.#clock.sleep(retryMs, this.#closing.signal);
        retryMs = Math.min(retryMs * 2, limits.heartbeatMs);
      } else {
        retryMs = retryMsMin;
      }
    }
  }

  /** One report. "news": there is something newer to say, while the answer is still out; it is followed when it comes. */
  async #call(news: AbortSignal): Promise<"answered" | "news" | "failed"> {
    failpoint("worker.beforeReport");
    const sentAt = this.#clock.now();
    const report = this.#report();
    const answered = this.#options.master.heartbeat(report, this.#closing.signal).then(
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

  #raiseNews(): void {
    this.#news.abort();
  }

  #report(): WorkerReport {
    const { worker, incarnation, address, budget } = this.#options;
    const placesHeld: Record<JobId, number> = {};
    for (const [job, files] of this.#jobs) {
      if (files.places !== undefined) placesHeld[job] = files.places.mapVersion;
    }
    const draining = this.#drained !== undefined;
    return {
      worker,
      incarnation,
      sequence: ++this.#sequence,
      placesHeld,
      address,
      slots: budget.slots,
      slotsFree: draining ? 0 : Math.max(0, budget.slots - this.#running.size),
      draining,
      running: [...this.#running.values()].map((running) => this.#statusOf(running)),
      finished: [...this.#finished.values()],
      offered: this.#offered,
    };
  }

  #statusOf(running: Running): RunningAttempt {
    const now = this.#clock.now();
    const page = running.entry?.slot.page();
    const isOurs =
      page !== undefined && page.epoch === running.attempt.epoch && page.attempt === running.attempt.attempt;
    if (isOurs && page.beats !== running.beats) {
      running.beats = page.beats;
      running.movedAt = now;
    }
    return {
      attempt: running.attempt,
      records: isOurs ? page.records : 0,
      bytes: isOurs ? page.bytes : 0,
      idleMs: Math.round(now - running.movedAt),
      runningMs: Math.round(now - running.startedAt),
      at: isOurs ? page.at : undefined,
    };
  }

  // ── orders ─────────────────────────────────────────────────────────────────

  #follow(orders: WorkerOrders, report: WorkerReport, sentAt: Instant): void {
    if (this.#closing.signal.aborted) return;
    if (orders.epoch < this.#epoch) return; // a former leader's: safe to ignore, the one who leads repeats what counts
    this.#epoch = orders.epoch;
    this.#leaseMs = orders.leaseMs;
    this.#heardAt = Math.max(this.#heardAt, sentAt);
    for (const result of report.finished) this.#finished.delete(keyOf(result.attempt));
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
    const files = this.#jobFiles(places.job);
    if (files.places !== undefined && files.places.mapVersion >= places.mapVersion) return;
    files.places = places;
  }

  /** False where there is nothing new: started already, or not to be started here and now. */
  #start(assignment: Assignment): boolean {
    const { attempt, work } = assignment;
    const key = keyOf(attempt);
    const files = this.#jobFiles(attempt.job);
    if (files.seen.has(key) || this.#discarded.has(attempt.job) || this.#drained !== undefined) return false;
    if (this.#running.size >= this.#options.budget.slots) return false;
    let inputs: readonly RunRef[] | undefined;
    if (work.phase === "reduce") {
      // Places travel apart: an order that overtook them is repeated.
      if (files.places?.mapVersion !== work.mapVersion) return false;
      inputs = runsInOrder(files.places);
    }
    failpoint("worker.beforeStart");
    files.seen.add(key);
    const now = this.#clock.now();
    const running: Running = {
      attempt,
      startedAt: now,
      tierBytes: 0,
      entry: undefined,
      isStopped: false,
      beats: -1,
      movedAt: now,
    };
    this.#running.set(key, running);
    this.#options.onStart?.(assignment);
    void this.#runToEnd(assignment, inputs, running);
    return true;
  }

  #stop(attempt: AttemptId): void {
    const key = keyOf(attempt);
    this.#jobFiles(attempt.job).seen.add(key);
    const running = this.#running.get(key);
    if (running === undefined || running.isStopped) return;
    running.isStopped = true;
    const slot = running.entry?.slot;
    if (slot === undefined) return;
    slot.stop();
    void this.#clock.sleep(stopGraceMs, this.#closing.signal).then(() => {
      if (this.#running.get(key) === running) slot.kill({ kind: "stopped" });
    });
  }

  #discard(job: JobId): void {
    this.#discarded.add(job);
    for (const running of this.#running.values()) if (running.attempt.job === job) running.isStopped = true;
    for (const entry of this.#slots) if (entry.job === job) entry.slot.kill({ kind: "stopped" });
    for (const [key, result] of this.#finished) if (result.attempt.job === job) this.#finished.delete(key);
    const files = this.#jobs.get(job);
    this.#jobs.delete(job);
    for (const key of files?.seen ?? []) this.#removeFiles(key);
  }

  // ── attempts ───────────────────────────────────────────────────────────────

  async #runToEnd(assignment: Assignment, inputs: readonly RunRef[] | undefined, running: Running): Promise<void> {
    const { attempt } = assignment;
    const key = keyOf(attempt);
    const result = await this.#run(assignment, inputs, running).catch((error: unknown) =>
      infrastructure(attempt, error),
    );
    this.#running.delete(key);
    const keeps = result.ok && result.run !== undefined && !running.isStopped && !this.#discarded.has(attempt.job);
    if (keeps) this.#keep(result.run!);
    else this.#removeFiles(key);
    // Who revoked it waits for no result; a failure that it caused is none.
    if (!running.isStopped) this.#finished.set(key, result);
    this.#raiseNews();
  }

  async #run(assignment: Assignment, inputs: readonly RunRef[] | undefined, running: Running): Promise<AttemptResult> {
    const { attempt, spec } = assignment;
    const { runs } = this.#options;
    const key = keyOf(attempt);
    const entry = await this.#slotFor(attempt.job, spec);
    running.entry = entry;
    try {
      if (running.isStopped) return infrastructure(attempt, new Error("the attempt was stopped"));
      const directories = {
        memory: runs.memory === undefined ? undefined : join(runs.memory, key),
        disk: join(runs.disk, key),
      };
      const cwd = join(this.#options.slots, key);
      for (const directory of [directories.memory, directories.disk, cwd]) {
        if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
      }
      running.tierBytes = directories.memory === undefined ? 0 : this.#tierShare();
      return await entry.slot.run({
        assignment,
        directory: cwd,
        memoryDirectory: directories.memory,
        memoryBytesMax: running.tierBytes,
        diskDirectory: directories.disk,
        inputs: inputs ?? [],
      });
    } finally {
      entry.isBusy = false;
      running.entry = undefined;
      rmSync(join(this.#options.slots, key), { recursive: true, force: true });
    }
  }

  #tierShare(): number {
    const { budget } = this.#options;
    let held = 0;
    for (const files of this.#jobs.values()) held += files.heldBytes;
    let granted = 0;
    let started = 0;
    for (const running of this.#running.values()) {
      granted += running.tierBytes;
      if (running.tierBytes > 0) started++;
    }
    return tierShare(budget.tierBytes, held, granted, budget.slots - started);
  }

  /** Until its job is over. */
  #keep(run: RunRef): void {
    const { memory } = this.#options.runs;
    const files = this.#jobFiles(run.writtenBy.job);
    files.seen.add(keyOf(run.writtenBy));
    if (memory !== undefined && run.path.startsWith(`${memory}/`)) files.heldBytes += run.bytes;
  }

  #removeFiles(key: string): void {
    const { runs } = this.#options;
    for (const directory of [runs.memory, runs.disk]) {
      if (directory !== undefined) rmSync(join(directory, key), { recursive: true, force: true, maxRetries: 3 });
    }
  }

  #jobFiles(job: JobId): JobFiles {
    let files = this.#jobs.get(job);
    if (files === undefined) this.#jobs.set(job, (files = { seen: new Set(), places: undefined, heldBytes: 0 }));
    return files;
  }

  // ── slots ──────────────────────────────────────────────────────────────────

  /** A slot with the job's code: one of the job's own, the one that described it, a new one. Marked busy. */
  async #slotFor(job: JobId, spec: JobSpec): Promise<SlotEntry> {
    const bundle = await this.#options.bundle(spec);
    const idle = [...this.#slots].filter((entry) => !entry.isBusy);
    const entry =
      idle.find((candidate) => candidate.job === job) ??
      idle.find(
        (candidate) =>
          candidate.job === undefined &&
          candidate.slot.bundle !== undefined &&
          sameBundle(candidate.slot.bundle, bundle),
      ) ??
      idle.find((candidate) => candidate.job === undefined && candidate.slot.bundle === undefined) ??
      this.#openSlot(idle.find((candidate) => candidate.job !== job));
    entry.job = job;
    entry.isBusy = true;
    if (entry.slot.bundle === undefined) {
      try {
        await entry.slot.load(bundle);
      } catch (error) {
        // What is half loaded is of no use to the next attempt.
        entry.slot.kill({ kind: "stopped" });
        throw error;
      }
    }
    return entry;
  }

  /** A new process, in place of `replaced` where all places are taken. */
  #openSlot(replaced: SlotEntry | undefined): SlotEntry {
    if (this.#slots.size >= this.#options.budget.slots && replaced !== undefined) {
      this.#slots.delete(replaced);
      replaced.slot.kill({ kind: "stopped" });
    }
    const entry: SlotEntry = {
      slot: this.#options.openSlot(`slot-${++this.#slotNames}`),
      job: undefined,
      isBusy: false,
    };
    this.#slots.add(entry);
    void entry.slot.ended.then(() => this.#slots.delete(entry));
    return entry;
  }

  // ── the watch ──────────────────────────────────────────────────────────────

  /** Ends slots that hold too much memory, and all attempts when the master was not heard for a lease. */
  async #watch(): Promise<void> {
    const resident = this.#options.residentBytes ?? residentBytes;
    while (!this.#closing.signal.aborted) {
      await this.#clock.sleep(watchdogMs, this.#closing.signal);
      for (const { slot } of this.#slots) {
        const bytes = slot.pid === undefined ? undefined : resident(slot.pid);
        if (bytes !== undefined && bytes > this.#options.budget.rssBytesMax) slot.kill({ kind: "memory", bytes });
      }
      if (this.#clock.now() - this.#heardAt > this.#leaseMs) this.#endLease();
    }
  }

  /** The master has given these attempts to others by now. */
  #endLease(): void {
    for (const running of this.#running.values()) {
      if (running.isStopped) continue;
      running.isStopped = true;
      running.entry?.slot.kill({ kind: "stopped" });
    }
  }

  #checkDrained(): void {
    if (this.#drained !== undefined && this.#running.size === 0 && this.#finished.size === 0) this.#drained.resolve();
  }
}

/** The attempt's name in all directories, with the job where several share them: names begin with the phase otherwise. */
function keyOf(attempt: AttemptId): string {
  return `${attempt.job}.${attemptName(attempt)}`;
}

function sameBundle(a: Bundle, b: Bundle): boolean {
  const variables = (bundle: Bundle) => JSON.stringify(Object.entries(bundle.environment).toSorted());
  return a.digest === b.digest && variables(a) === variables(b);
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
