// A worker as a process: its work directory, one port, the agent, and the map outputs that it keeps for others while
// they need them.
//
//   work directory, lock ─► listen ─► hello ─► offer old runs, take work ─► drain ─► serve what is needed ─► close
//
// Drain (SIGTERM, a master's order, a notice): nothing new is taken; what runs is finished, or handed back when its
// time is over; map outputs are served until others hold what is needed, or the limit is (drain.ts). `close` does not
// wait: slots are killed immediately, and runs stay for the next start.
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { assert } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import type { JobId, WorkerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Clock, systemClock } from "../../base/system/clock.ts";
import { type Log, noLog } from "../../base/system/log.ts";
import { formatDuration } from "../../base/units.ts";
import type { CopyOrder, Offer } from "../../protocol/messages.ts";
import type { Welcome } from "../../protocol/services.ts";
import { ourVersions } from "../../protocol/versions.ts";
import { jobKey } from "../../rpc/access/signature.ts";
import type { Tokens } from "../../rpc/access/tokens.ts";
import { Gate } from "../../rpc/server/gate.ts";
import type { Listener } from "../../rpc/server/http.ts";
import { listen } from "../../rpc/server/listener.ts";
import { copyRun } from "../../shuffle/copy-run.ts";
import { shuffleRoutes } from "../../shuffle/server.ts";
import { type Agent, startAgent } from "../agent/agent.ts";
import { JobNeeds } from "../agent/job-needs.ts";
import { FileRunStore } from "../disk/file-run-store.ts";
import { JobLogs } from "../disk/job-logs.ts";
import { jobsWithCheckpoints } from "../disk/left-checkpoints.ts";
import { findOffered } from "../disk/offered.ts";
import { openWorkerDirectory, type WorkerDirectory } from "../disk/worker-directory.ts";
import { type Budget, planBudget } from "../slots/budget.ts";
import { logBegun, logEnded, logLate } from "./attempt-log.ts";
import { DrainTimes, drain } from "./drain.ts";
import { createMetrics, type WorkerMetrics } from "./metrics.ts";
import { watchNotice } from "./notice.ts";
import { openSlot, type SlotParts } from "./open-slot.ts";
import type { WorkerNode, WorkerNodeOptions, WorkersMaster } from "./options.ts";
import { workerRoutes } from "./routes.ts";

const defaultGraceMs = 60_000;
const defaultLimitMs = 30 * 60_000;
const coolDown = { firstMs: 250, mostMs: 15_000 };
/** Time between two looks at whether the master is heard, and between two cleanings. */
const watchMs = 1000;
const sweepMs = 10 * 60_000;

/**
 * Resolves when the master has welcomed the worker. Errors: `state-busy`, `wrong-usage`, `no-space`, `io-error`, and
 * the master's: `unreachable`, `no-access`, `not-supported`. On failure nothing is left open.
 */
export async function openWorkerNode(options: WorkerNodeOptions): Promise<WorkerNode> {
  const budget = planBudget({ slots: options.slots, memoryBytes: options.memoryBytes });
  const { workDir: path, name, memoryRoot } = options;
  const directory = await openWorkerDirectory({ path, name, memoryRoot });
  const node = new Node(options, budget, directory);
  try {
    await node.open();
    return node;
  } catch (error) {
    await node.close();
    throw error;
  }
}

class Node implements WorkerNode {
  readonly ended: Promise<void>;
  readonly #options: WorkerNodeOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #budget: Budget;
  readonly #directory: WorkerDirectory;
  readonly #master: WorkersMaster;
  readonly #runs: FileRunStore;
  readonly #logs: JobLogs;
  readonly #needs: JobNeeds;
  readonly #slotParts: SlotParts;
  readonly #metrics: WorkerMetrics;
  readonly #closing = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #listener: Listener | undefined;
  #agent: Agent | undefined;
  #cluster: string | undefined;
  /**
   * How far the master's clock is ahead of this machine's, as of its last welcome; half of the round trip is ignored.
   * Only signatures go by it, of requests and of what is asked here: clocks of workers may be a day apart.
   */
  #clockAheadMs = 0;
  #failure: Error | undefined;
  #callFailure = "";
  #drainTimes: DrainTimes | undefined;
  #draining: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #resolveEnded!: () => void;
  #rejectEnded!: (error: Error) => void;

  constructor(options: WorkerNodeOptions, budget: Budget, directory: WorkerDirectory) {
    const { clock = systemClock, log = noLog } = options;
    const { work, id, bundles, files } = directory;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#budget = budget;
    this.#directory = directory;
    this.ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    this.ended.catch(() => {}); // callers that await it get the error
    this.#master = options.connect({ worker: id, onWelcome: (welcome) => this.#welcomed(welcome) });
    const { slots, tierBytes } = budget;
    this.#runs = new FileRunStore({
      ...work.runs,
      checkpoints: work.checkpoints,
      slots: work.slots,
      tierBytes,
      slotsMax: slots,
    });
    this.#logs = new JobLogs({ directory: work.logs, clock });
    this.#needs = new JobNeeds({ worker: id, blobs: this.#master.blobs, clock, bundles, files });
    this.#slotParts = { work, program: options.slotProgram, budget, logs: this.#logs, clock, log };
    this.#metrics = createMetrics({
      slots,
      status: () => this.#agent?.status(),
      runs: () => this.#runs.held(),
      freeBytes: async () => {
        const { bavail, bsize } = await statfs(work.path);
        return bavail * bsize;
      },
    });
  }

  get id(): WorkerId {
    return this.#directory.id;
  }

  get incarnation(): number {
    assert(this.#directory.incarnation !== undefined, "the worker was welcomed");
    return this.#directory.incarnation;
  }

  get address(): string {
    return this.#listener!.address;
  }

  async open(): Promise<void> {
    const { tokens, tls, advertise, listen: where } = this.#options;
    const clock = this.#clock;
    const log = this.#log;
    this.#listener = await listen({
      ...where,
      tls,
      advertise,
      gate: new Gate({
        tokens,
        clock,
        date: () => new Date(clock.date().getTime() + this.#clockAheadMs),
        log,
      }),
      routes: [
        ...workerRoutes({ logs: this.#logs, notReady: () => this.#notReady(), metrics: this.#metrics }),
        ...shuffleRoutes({
          find: (attempt) => this.#runs.find(attempt),
          isReady: () => this.#agent !== undefined,
          clock,
          onSent: (bytes) => this.#metrics.served(bytes),
        }),
      ],
      log,
    });
    const { cluster, start } = await this.#master.hello({ ...ourVersions, role: "worker", worker: this.id });
    this.#cluster = cluster;
    if (this.#directory.joinCluster(cluster, start)) {
      log.warn({ cluster }, "this work directory was of a worker of another cluster: what that one left was removed");
    }
    const offered = findOffered(this.#directory.work.runs);
    this.#agent = this.#startAgent(offered);
    this.#agent.prestart(this.#budget.slots);
    this.#loops.push(this.#watch(), this.#sweep(), this.#watchNotice());
    log.info(
      {
        worker: this.id,
        incarnation: this.incarnation,
        address: this.address,
        cluster,
        slots: this.#budget.slots,
        memoryBytes: this.#budget.memoryBytes,
        workDir: this.#directory.work.path,
        offeredRuns: offered.length,
      },
      "the worker takes attempts",
    );
  }

  drain(withinMs?: number): Promise<void> {
    const { drainGraceMs: graceMs = defaultGraceMs, drainLimitMs: limitMs = defaultLimitMs } = this.#options;
    this.#drainTimes ??= new DrainTimes(this.#clock, this.#closing.signal, graceMs, limitMs);
    if (withinMs !== undefined) this.#drainTimes.leaveWithin(withinMs);
    if (this.#draining !== undefined && withinMs !== undefined) void this.#agent?.drain(withinMs);
    this.#draining ??= this.#drain(this.#drainTimes, withinMs);
    return this.#draining;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close("keep");
    return this.#closed;
  }

  // ── the agent ──────────────────────────────────────────────────────────────

  #startAgent(offered: ReturnType<typeof findOffered>): Agent {
    const { random = Math.random, tokens, ca } = this.#options;
    return startAgent({
      worker: this.id,
      incarnation: this.incarnation,
      address: this.address,
      master: this.#master,
      clock: this.#clock,
      random,
      budget: this.#budget,
      runs: this.#runs,
      openSlot: (name, onLate) => openSlot(name, onLate, this.#slotParts),
      spareSlots: true,
      slotsAhead: this.#budget.slots,
      prepare: (job, spec) => this.#needs.prepare(job, spec),
      bundle: (spec, job) => this.#needs.bundle(job, spec),
      access: { shuffleKey: (job) => this.#shuffleKey(tokens, job), ca, clockAheadMs: () => this.#clockAheadMs },
      resultBytesMax: limits.resultBytesMax,
      coolDownMs: (failures) => Math.min(coolDown.mostMs, coolDown.firstMs * 2 ** (failures - 1)),
      who: `worker ${this.id} (on ${hostname()})`,
      offered,
      leftJobs: jobsWithCheckpoints(this.#directory.work.checkpoints),
      onStart: ({ attempt }) => logBegun(this.#log, attempt),
      onEnd: (attempt, result) => {
        this.#metrics.attempt(result);
        logEnded(this.#log, attempt, result);
      },
      onLate: (attempt, error) => logLate(this.#log, attempt, error),
      onDrain: (withinMs) => void this.drain(withinMs),
      copyRun: (order, signal) => this.#copyRun(order, signal),
      onDiscard: (job) => this.#discarded(job),
      onCallFailed: (error) => this.#callFailed(error),
    });
  }

  /** Makes a copy of a run of a worker that leaves. */
  async #copyRun(order: CopyOrder, signal: AbortSignal): Promise<Offer> {
    const { random = Math.random, tokens, ca } = this.#options;
    const key = this.#shuffleKey(tokens, order.run.writtenBy.job);
    const received = this.#runs.receive(order);
    try {
      await copyRun({
        order,
        access: { key, ca, clockAheadMs: this.#clockAheadMs },
        clock: this.#clock,
        random,
        signal,
        write: (bytes) => received.write(bytes),
      });
      return await received.finish();
    } catch (error) {
      received.abort();
      throw error;
    }
  }

  #shuffleKey(tokens: Tokens, job: JobId): string {
    const token = tokens.all("worker")[0];
    if (token === undefined) throw new MillraceError("no-access", "there is no valid worker token to sign with");
    return jobKey(token, job);
  }

  #discarded(job: JobId): void {
    this.#logs.end(job);
    this.#needs.release(job);
  }

  // ── the master ─────────────────────────────────────────────────────────────

  /**
   * Called after each handshake. Another state at the same address knows nothing about what runs here, and its epochs
   * start again.
   */
  #welcomed({ cluster, timeMs }: Welcome): void {
    this.#clockAheadMs = Math.round(timeMs - this.#clock.date().getTime());
    if (this.#cluster === undefined || cluster === this.#cluster) return;
    this.#fail(
      new MillraceError(
        "not-supported",
        "the master at this address is another cluster's now (its state directory was replaced): start the worker again, and it begins with an empty work directory",
      ),
    );
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined || this.#closed !== undefined) return;
    this.#failure = error;
    this.#log.error({}, error.message);
    void this.close();
  }

  #callFailed(error: unknown): void {
    // Another process has this worker's name now, and gets its orders.
    if (error instanceof MillraceError && error.code === "state-busy") {
      this.#fail(error);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#callFailure) return;
    this.#callFailure = message;
    this.#log.warn({ error: message }, "a report did not reach the master; it is sent again");
  }

  #notReady(): string | undefined {
    const status = this.#agent?.status();
    if (status === undefined || status.isNew) return "not welcomed by a master yet";
    if (status.isDraining) return "draining";
    return status.unheardMs > status.leaseMs ? "the master is not heard" : undefined;
  }

  async #watch(): Promise<void> {
    let isHeard = true;
    while (!this.#closing.signal.aborted) {
      await this.#clock.sleep(watchMs, this.#closing.signal);
      const { unheardMs, leaseMs, running } = this.#agent!.status();
      if (unheardMs <= leaseMs) this.#callFailure = unheardMs < leaseMs / 2 ? "" : this.#callFailure;
      if (isHeard === unheardMs <= leaseMs) continue;
      isHeard = !isHeard;
      if (isHeard) this.#log.info({}, "the master is heard again");
      else {
        const lease = formatDuration(leaseMs);
        this.#log.warn({ running }, `the master was not heard for a lease (${lease}): what runs is stopped`);
      }
    }
  }

  async #sweep(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await Promise.all([this.#logs.sweep(), this.#needs.sweep()]).catch((error: unknown) =>
        this.#log.warn({ error: String(error) }, "old files can't be removed"),
      );
      await this.#clock.sleep(sweepMs, this.#closing.signal);
    }
  }

  async #watchNotice(): Promise<void> {
    const { notice } = this.#options;
    if (notice === undefined) return;
    const { from, withinMs } = notice;
    const isNoticed = await watchNotice({
      notice: from,
      clock: this.#clock,
      log: this.#log,
      signal: this.#closing.signal,
    });
    if (!isNoticed) return;
    this.#log.warn({ notice: from }, `there is a notice that this machine goes away: the worker leaves`);
    void this.drain(withinMs);
  }

  // ── the end ────────────────────────────────────────────────────────────────

  async #drain(times: DrainTimes, withinMs: number | undefined): Promise<void> {
    await Promise.resolve(); // the agent's own drain comes back here
    const isReleased = await drain({ agent: this.#agent!, runs: this.#runs, log: this.#log, times }, withinMs);
    this.#closed ??= this.#close(isReleased ? "remove" : "keep");
    await this.#closed;
  }

  async #close(how: "keep" | "remove"): Promise<void> {
    this.#closing.abort();
    await this.#agent?.close();
    await this.#needs.close();
    await this.#listener?.close(how === "remove" ? undefined : 0);
    this.#master.close();
    await Promise.all(this.#loops);
    await this.#directory.close(how).catch((error: unknown) => {
      this.#log.warn({ error: String(error) }, "the work directory can't be tidied up; the next start does it");
    });
    this.#log.info({ worker: this.id }, "the worker has ended");
    if (this.#failure === undefined) this.#resolveEnded();
    else this.#rejectEnded(this.#failure);
  }
}
