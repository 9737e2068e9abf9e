// A master as a process: its state directory, the loop, the one port, and housekeeping.
//
//   state directory ─► store, tokens, blobs, event logs ─► lead, recover ─► listen ─► ready.json
//
// It is loaded by `millrace master` only. When it has stepped down (`stopped`), for example because a disk failed, it
// answers nothing any more and its process has to end: the next one recovers from what is on disk.
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { MillraceError } from "../base/error.ts";
import type { WorkerId } from "../base/ids.ts";
import { limits, MiB } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import { systemClock } from "../base/system/clock.ts";
import { type Log, noLog } from "../base/system/log.ts";
import { randomId } from "../base/system/random.ts";
import { version } from "../base/version.ts";
import { manifestBuilder } from "../output/manifest.ts";
import { writeProbe } from "../output/probe.ts";
import type { MasterApi } from "../protocol/services.ts";
import { clientTls } from "../rpc/access/tls.ts";
import { openTokens, type Tokens } from "../rpc/access/tokens.ts";
import { blobRoutes } from "../rpc/server/blob-routes.ts";
import { Gate, isLoopbackName } from "../rpc/server/gate.ts";
import type { Listener, TlsFiles } from "../rpc/server/http.ts";
import { parseListen, type Where } from "../rpc/server/listen-address.ts";
import { listen } from "../rpc/server/listener.ts";
import { masterService } from "../rpc/server/service.ts";
import { recoverScheduler } from "../schedule/scheduler.ts";
import type { SchedulerOptions } from "../schedule/step.ts";
import { createStorage } from "../storage/any.ts";
import { isStagedBy } from "../storage/staged-token.ts";
import type { Storage } from "../storage/storage.ts";
import { Api } from "./api.ts";
import { type DiskBlobs, openBlobs } from "./blobs.ts";
import { historyEvent, logFact } from "./fact-text.ts";
import { type History, openHistory } from "./history.ts";
import { keepHouse } from "./housekeeping.ts";
import { watchLag } from "./lag.ts";
import { type Look, lookHere } from "./look/look.ts";
import { Looker } from "./look/looker.ts";
import { createMaster } from "./loop.ts";
import type { Master, MasterObserver } from "./master.ts";
import { createMetrics, type MasterMetrics } from "./metrics.ts";
import { showTokens } from "./shown-tokens.ts";
import { openStateDirectory, type StateDirectory } from "./state-directory.ts";
import { statusRoutes } from "./status-routes.ts";

/** Bytes that must be free for a new job, in addition to those at which commits wait. */
const jobSpareBytes = 16 * MiB;

export interface MasterNodeOptions {
  /** The state directory, which is created if it is missing. */
  readonly state: string;
  /** Host and port to listen on, such as "127.0.0.1:7070". Port 0 is any free one. */
  readonly listen: string;
  readonly tls?: TlsFiles | undefined;
  /** PEM file of the authority that signed the workers' certificates. Default: the system's authorities. */
  readonly ca?: string | undefined;
  /** The host by which others reach this process. Default: the host that it listens on. */
  readonly advertise?: string | undefined;
  /** The lease of workers in ms. Default `limits.leaseMs`. */
  readonly leaseMs?: number | undefined;
  /** How many workers may join. Default `limits.workersMax`. */
  readonly workersMax?: number | undefined;
  readonly clock?: Clock;
  readonly log?: Log;
  /** The storage. Default: the file system and object stores, which `dist/look.cjs` looks at. */
  readonly storage?: Storage;
  readonly lookProgram?: string;
}

export interface MasterNode {
  /** The master's address, such as "http://127.0.0.1:7070". */
  readonly address: string;
  /** The name of this state, which no other state has. */
  readonly cluster: string;
  readonly epoch: number;
  /** The directory of the token files. */
  readonly tokens: string;
  /** The file where commands of this user find a token for the address. */
  readonly tokenFile: string;
  readonly api: MasterApi;
  /** Aborted when the master can't go on, with the reason. Its process should end then. */
  readonly stopped: AbortSignal;
  close(): Promise<void>;
}

/** Opens a master. Throws `state-busy`, `corrupt-state`, `wrong-usage`, `no-access` and `io-error`. */
export async function openMasterNode(options: MasterNodeOptions): Promise<MasterNode> {
  const { clock = systemClock, log = noLog } = options;
  const where = parseListen(options.listen);
  const owner = { pid: process.pid, host: hostname(), since: clock.date().toISOString() };
  const directory = await openStateDirectory(options.state, owner);
  const parts = new Parts();
  parts.add(() => directory.close());
  try {
    return await openIn({ directory, where, parts }, { ...options, clock, log });
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** The parts that were opened, to be closed in the opposite order. */
class Parts {
  readonly #close: (() => Promise<void> | void)[] = [];
  #closed: Promise<void> | undefined;

  add(close: () => Promise<void> | void): void {
    this.#close.push(close);
  }

  get isClosing(): boolean {
    return this.#closed !== undefined;
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      for (const close of this.#close.toReversed()) await close();
    })();
    return this.#closed;
  }
}

interface OpenParts {
  readonly directory: StateDirectory;
  readonly where: Where;
  readonly parts: Parts;
}

type Complete = MasterNodeOptions & Required<Pick<MasterNodeOptions, "clock" | "log">>;

async function freeBytesOf({ path }: StateDirectory): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function checkSpace(directory: StateDirectory): Promise<void> {
  if ((await freeBytesOf(directory)) >= limits.stateSpareBytes + jobSpareBytes) return;
  throw new MillraceError(
    "no-space",
    `the disk of the master's state is nearly full (${directory.path}): no job is taken until there is room; those that run go on`,
  );
}

function noteStandstill(lagMs: number, leaseMs: number, log: Log): void {
  if (lagMs < leaseMs / 2) return;
  log.warn(
    { lagMs: Math.round(lagMs) },
    "the master stood still for more than half a lease (stopped, or too much to do at once); no other can have taken over, so it goes on and forgives its workers the time",
  );
}

interface Observing {
  readonly history: History;
  readonly metrics: MasterMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly forget: (worker: WorkerId) => void;
}

/** Notes what happens: for the event logs of jobs, for metrics, and for the log. */
function observer({ history, metrics, clock, log, forget }: Observing): MasterObserver {
  return {
    stepped: ({ facts }) => {
      for (const fact of facts) {
        const event = historyEvent(fact, clock.date());
        if (event !== undefined) history.append(event);
        metrics.fact(fact);
        logFact(log, fact);
        if (fact.kind === "worker-forgotten") forget(fact.worker);
      }
    },
    committed: (commit) => metrics.committed(commit),
    failed: (what, error) => log.warn({ error: String(error) }, `${what} has failed`),
  };
}

/** The master has stopped by itself, and must not be taken for the master any more. */
function stepDown({ stopped: { reason } }: Master, listener: Listener, log: Log): void {
  log.error(
    { code: reason instanceof MillraceError ? reason.code : undefined },
    `the master has stepped down: ${reason}`,
  );
  void listener.close(0);
}

async function openIn({ directory, where, parts }: OpenParts, options: Complete): Promise<MasterNode> {
  const { clock, log, leaseMs = limits.leaseMs, storage = createStorage() } = options;
  const tokens = openTokens(directory.tokens, log);
  const blobs = await openBlobs(directory.blobs, clock);
  const history = await openHistory(directory.history, { clock, log });
  parts.add(() => history.close());
  const freeBytes = () => freeBytesOf(directory);
  const look = openLook(options, parts);
  const lag = watchLag(clock, (lagMs) => noteStandstill(lagMs, leaseMs, log));
  parts.add(() => lag.close());
  const metrics = createMetrics({
    view: () => (master.stopped.aborted ? undefined : master.view()),
    storeBytes: () => directory.storeBytes(),
    freeBytes,
    lagMs: () => lag.worst(),
  });
  const startedAt = clock.now();
  let api: Api | undefined;
  const master = await createMaster({
    store: directory.store,
    storage,
    clock,
    ...loopOptions(leaseMs),
    observer: observer({ history, metrics, clock, log, forget: (worker) => api?.forget(worker) }),
  });
  // A master that has stepped down leaves immediately, and leaves publishing to its successor.
  parts.add(() => (master.stopped.aborted ? undefined : master.close()));
  api = new Api({
    master,
    clock,
    blobs,
    history,
    leaseMs,
    workersMax: options.workersMax ?? limits.workersMax,
    addresses: { loopbackOnly: isLoopbackName(where.host), tls: options.tls !== undefined },
    logs: { workerTokens: () => tokens.all("worker"), tls: clientTls(options.ca), clock },
    look,
    checkSpace: () => checkSpace(directory),
    heard: (ms) => metrics.heartbeat(ms),
    submitted: (outcome) => metrics.submitted(outcome),
  });
  const listener = await listenFor({ master, api, tokens, blobs, metrics, where }, options);
  parts.add(() => listener.close(closeGraceMs));
  const { address } = listener;
  const shown = showTokens({ address, tokens, directory, log });
  parts.add(shown.remove);
  const house = keepHouse({ master, store: directory.store, blobs, history, clock, log });
  parts.add(() => house.close());
  directory.ready({ address, pid: process.pid, cluster: master.cluster, epoch: master.epoch });
  log.info(
    { address, cluster: master.cluster, epoch: master.epoch, ms: Math.round(clock.now() - startedAt) },
    "the master leads",
  );
  watchStop(master, listener, parts, log);
  return {
    address,
    cluster: master.cluster,
    epoch: master.epoch,
    tokens: directory.tokens,
    tokenFile: shown.file,
    api,
    stopped: master.stopped,
    close: () => parts.close(),
  };
}

/** Looks at inputs in a process of its own, or in this one where a storage was given. */
function openLook({ clock, lookProgram, storage }: Complete, parts: Parts): Look {
  const looker = new Looker({ clock, program: lookProgram });
  parts.add(() => looker.close());
  return storage === undefined ? (request, signal) => looker.look(request, signal) : lookHere(storage);
}

interface Served {
  readonly master: Master;
  readonly api: Api;
  readonly tokens: Tokens;
  readonly blobs: DiskBlobs;
  readonly metrics: MasterMetrics;
  readonly where: Where;
}

async function listenFor(served: Served, { tls, advertise, clock, log }: Complete): Promise<Listener> {
  const { master, api, tokens, blobs, metrics, where } = served;
  return await listen({
    ...where,
    tls,
    gate: new Gate({ tokens, clock, log }),
    routes: [...blobRoutes(blobs), ...statusRoutes({ metrics, isReady: () => !master.stopped.aborted })],
    rpc: masterService(api, { clock, log }),
    advertise,
    log,
  });
}

/** Notes when the master stops by itself. It may have done so already. */
function watchStop(master: Master, listener: Listener, parts: Parts, log: Log): void {
  const onStopped = () => {
    if (!parts.isClosing) stepDown(master, listener, log);
  };
  if (master.stopped.aborted) onStopped();
  else master.stopped.addEventListener("abort", onStopped, { once: true });
}

/** Time for calls that are under way. Most of them wait for news, and their callers try again. */
const closeGraceMs = 200;

/** What the loop of a cluster's master is told beside its parts. */
const loopOptions = (leaseMs: number) => ({
  recover: recoverScheduler,
  scheduler: schedulerOptions(leaseMs),
  heartbeatMs: Math.min(limits.heartbeatMs, leaseMs / 3),
  owner: `process ${process.pid}`,
  newCluster: randomId(),
  publishTriesMax: limits.publishTriesMax,
  adoptMs: leaseMs,
  writeProbe,
});

const schedulerOptions = (leaseMs: number): SchedulerOptions => ({
  leaseMs,
  keepFailed: true,
  backupSlowdown: limits.backupSlowdown,
  failuresPerWorkerMax: limits.failuresPerWorkerMax,
  infrastructureFailuresMax: limits.infrastructureFailuresMax,
  digestRollbacksMax: limits.digestRollbacksMax,
  isStagedBy,
  manifest: manifestBuilder({ millrace: version, node: process.versions.node }),
});
