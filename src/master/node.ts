// A master as a process: its state directory, the loop, the one port, and housekeeping.
//
//   state ─► tokens ─► listen (every call: "not-leader") ─► lead, recover ─► blobs, event logs ─► answer, ready.json
//
// It is loaded by `millrace master` only. Where the state is shared, it may wait for long before it leads. When it has
// stepped down (`stopped`), for example because a disk failed, it answers nothing any more and its process has to end:
// the next one recovers from what is stored.
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
import type { StateStore, StoredRecord } from "../state/store.ts";
import { createStorage } from "../storage/any.ts";
import { isStagedBy } from "../storage/staged-token.ts";
import type { Storage } from "../storage/storage.ts";
import { Api } from "./api.ts";
import { openBlobs } from "./blobs.ts";
import { historyEvent, logFact } from "./fact-text.ts";
import { type History, openHistory } from "./history.ts";
import { keepHouse } from "./housekeeping.ts";
import { watchLag } from "./lag.ts";
import { followLeader } from "./leader.ts";
import { type Look, lookHere } from "./look/look.ts";
import { Looker } from "./look/looker.ts";
import { createMaster } from "./loop.ts";
import type { Master, MasterObserver } from "./master.ts";
import { freeBytesOf, type MasterState } from "./master-state.ts";
import { createMetrics, type MasterMetrics } from "./metrics.ts";
import { checkSameTokens, digestsOf, keepDigests, tokensPrefix } from "./same-tokens.ts";
import { Seat } from "./seat.ts";
import { openSharedState } from "./shared-state.ts";
import { showTokens } from "./shown-tokens.ts";
import { openStateDirectory } from "./state-directory.ts";
import { statusRoutes } from "./status-routes.ts";

/** Bytes that must be free for a new job, in addition to those at which commits wait. */
const jobSpareBytes = 16 * MiB;

export interface MasterNodeOptions {
  /** The state directory, which is created if it is missing; or the name of the shared store, for messages. */
  readonly state: string;
  /** Opens a store that other masters see too: one of them leads. Default: the one in the state directory. */
  readonly sharedStore?: (() => Promise<StateStore>) | undefined;
  /** The directory of the token files. Default: `tokens` in the state directory, made if it is missing. */
  readonly tokens?: string | undefined;
  /** With a shared store: the directory for bundles and event logs, which all masters see. */
  readonly blobs?: string | undefined;
  /** Called once when this master listens while another one leads. */
  readonly standby?: ((standby: Standby) => void) | undefined;
  /** Ends the wait for leadership. */
  readonly signal?: AbortSignal | undefined;
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

export interface Standby {
  /** Its own address. */
  readonly address: string;
  /** That of the master that leads. */
  readonly leader: string;
  readonly tokens: string;
  readonly tokenFile: string;
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

/**
 * Opens a master, and resolves when it leads. Throws `state-busy`, `corrupt-state`, `wrong-usage`, `no-access`,
 * `unreachable` and `io-error`, and the signal's reason.
 */
export async function openMasterNode(options: MasterNodeOptions): Promise<MasterNode> {
  const { clock = systemClock, log = noLog } = options;
  const where = parseListen(options.listen);
  const state = await openState(options, clock);
  const parts = new Parts();
  parts.add(() => state.close());
  try {
    return await openIn({ state, where, parts }, { ...options, clock, log });
  } catch (error) {
    await parts.close();
    throw error;
  }
}

async function openState(options: MasterNodeOptions, clock: Clock): Promise<MasterState> {
  const { state: name, tokens, blobs, sharedStore } = options;
  if (sharedStore !== undefined) return await openSharedState({ name, open: sharedStore, tokens, blobs });
  if (blobs !== undefined) {
    throw new MillraceError("wrong-usage", "--blobs is for a state that several masters see: leave it out");
  }
  const owner = { pid: process.pid, host: hostname(), since: clock.date().toISOString() };
  return await openStateDirectory(name, owner, tokens);
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
  readonly state: MasterState;
  readonly where: Where;
  readonly parts: Parts;
}

type Complete = MasterNodeOptions & Required<Pick<MasterNodeOptions, "clock" | "log">>;

async function checkSpace(state: MasterState): Promise<void> {
  if ((await freeBytesOf(state)) >= limits.stateSpareBytes + jobSpareBytes) return;
  throw new MillraceError(
    "no-space",
    `the disk of the master's state is nearly full (${state.path}): no job is taken until there is room; those that run go on`,
  );
}

function noteStandstill(lagMs: number, leaseMs: number, { isShared }: MasterState, log: Log): void {
  if (lagMs < leaseMs / 2) return;
  const after = isShared
    ? "if another has been elected meanwhile, this one ends"
    : "no other can have taken over, so it goes on and forgives its workers the time";
  log.warn(
    { lagMs: Math.round(lagMs) },
    `the master stood still for more than half a lease (stopped, or too much to do at once); ${after}`,
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

async function openIn({ state, where, parts }: OpenParts, options: Complete): Promise<MasterNode> {
  const { clock, log, leaseMs = limits.leaseMs, storage = createStorage() } = options;
  const tokens = openTokens(state.tokens, log);
  let epoch = 0;
  const history = await openHistory(state.history, { clock, log, epoch: state.isShared ? () => epoch : undefined });
  parts.add(() => history.close());
  const look = openLook(options, parts);
  const lag = watchLag(clock, (lagMs) => noteStandstill(lagMs, leaseMs, state, log));
  parts.add(() => lag.close());
  let leading: Master | undefined;
  const isLeading = () => leading !== undefined && !leading.stopped.aborted;
  const metrics = createMetrics({
    view: () => (isLeading() ? leading?.view() : undefined),
    storeBytes: state.storeBytes,
    freeBytes: () => freeBytesOf(state),
    lagMs: () => lag.worst(),
  });

  const seat = new Seat(() => listener.address);
  const listener = await listenFor({ seat, tokens, metrics, where, isLeading }, options);
  parts.add(() => listener.close(closeGraceMs));
  const { address } = listener;
  const shown = showTokens({ address, tokens, state, log });
  parts.add(shown.remove);
  if (state.isShared) await standBy({ state, tokens, seat, address, tokenFile: shown.file, parts }, options);

  const startedAt = clock.now();
  let api: Api | undefined;
  const master = await createMaster({
    store: state.store,
    storage,
    clock,
    ...loopOptions(leaseMs),
    owner: state.isShared ? address : `process ${process.pid}`,
    signal: options.signal,
    admit: (records, elected) => {
      epoch = elected;
      return state.isShared ? checkSameTokens(records, digestsOf(tokens), state.tokens) : [];
    },
    observer: observer({ history, metrics, clock, log, forget: (worker) => api?.forget(worker) }),
  });
  leading = master;
  // A master that has stepped down leaves immediately, and leaves publishing to its successor.
  parts.add(() => (master.stopped.aborted ? undefined : master.close()));
  const blobs = await openBlobs(state.blobs, clock, state.isShared);
  const leader = { address, since: clock.date().toISOString() };
  api = new Api({
    master,
    leader,
    clock,
    blobs,
    history,
    leaseMs,
    workersMax: options.workersMax ?? limits.workersMax,
    addresses: { loopbackOnly: isLoopbackName(where.host), tls: options.tls !== undefined },
    logs: { workerTokens: () => tokens.all("worker"), tls: clientTls(options.ca), clock },
    look,
    checkSpace: () => checkSpace(state),
    heard: (ms) => metrics.heartbeat(ms),
    submitted: (outcome) => metrics.submitted(outcome),
  });
  seat.take({ api, blobs });
  // Calls end before the master does; where it could not become one, they have ended before.
  parts.add(() => listener.close(closeGraceMs));
  const house = keepHouse({ master, store: state.store, blobs, history, clock, log });
  parts.add(() => house.close());
  if (state.isShared) parts.add(keepDigests(master, tokens, clock).close);
  state.ready?.({ address, pid: process.pid, cluster: master.cluster, epoch: master.epoch });
  log.info(
    { address, cluster: master.cluster, epoch: master.epoch, ms: Math.round(clock.now() - startedAt) },
    "the master leads",
  );
  watchStop(master, listener, parts, log);
  return {
    address,
    cluster: master.cluster,
    epoch: master.epoch,
    tokens: state.tokens,
    tokenFile: shown.file,
    api,
    stopped: master.stopped,
    close: () => parts.close(),
  };
}

interface Waiting {
  readonly state: MasterState;
  readonly tokens: Tokens;
  readonly seat: Seat;
  readonly address: string;
  readonly tokenFile: string;
  readonly parts: Parts;
}

/** Refuses to wait with other tokens, and follows who leads meanwhile. */
async function standBy({ state, tokens, seat, address, tokenFile, parts }: Waiting, options: Complete): Promise<void> {
  const { log, standby } = options;
  const stored: StoredRecord[] = [];
  for await (const record of state.store.scan(tokensPrefix)) stored.push(record);
  checkSameTokens(stored, digestsOf(tokens), state.tokens);
  const following = followLeader({ store: state.store, seat, log });
  parts.add(following.close);
  const leader = await following.first;
  if (leader === undefined) return;
  log.info({ address, leader }, "the master waits for its turn: another one leads");
  standby?.({ address, leader, tokens: state.tokens, tokenFile });
}

/** Looks at inputs in a process of its own, or in this one where a storage was given. */
function openLook({ clock, lookProgram, storage }: Complete, parts: Parts): Look {
  const looker = new Looker({ clock, program: lookProgram });
  parts.add(() => looker.close());
  return storage === undefined ? (request, signal) => looker.look(request, signal) : lookHere(storage);
}

interface Served {
  readonly seat: Seat;
  readonly tokens: Tokens;
  readonly metrics: MasterMetrics;
  readonly where: Where;
  readonly isLeading: () => boolean;
}

async function listenFor(served: Served, { tls, advertise, clock, log }: Complete): Promise<Listener> {
  const { seat, tokens, metrics, where, isLeading } = served;
  return await listen({
    ...where,
    tls,
    gate: new Gate({ tokens, clock, log }),
    routes: [...blobRoutes(seat.blobs), ...statusRoutes({ metrics, isReady: () => isLeading() && seat.isTaken })],
    rpc: masterService(seat, { clock, log }),
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
