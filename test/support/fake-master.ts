// A `MasterApi` that keeps no state worth the name: for tests of what lies between it and its callers.

import { MillraceError } from "../../src/base/error.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { noLog } from "../../src/base/system/log.ts";
import type { JobSpec } from "../../src/job/spec.ts";
import type { WorkerOrders, WorkerReport } from "../../src/protocol/messages.ts";
import type { MasterApi } from "../../src/protocol/services.ts";
import { noStats } from "../../src/protocol/stats.ts";
import { checkHello, ourVersions } from "../../src/protocol/versions.ts";
import type { JobState, JobView } from "../../src/protocol/view.ts";
import { randomToken, type Secret } from "../../src/rpc/access/token-digest.ts";
import { fixedTokens, type TokenScope } from "../../src/rpc/access/tokens.ts";
import { Gate } from "../../src/rpc/server/gate.ts";
import type { Listener } from "../../src/rpc/server/http.ts";
import { type ListenOptions, listen } from "../../src/rpc/server/listener.ts";
import { masterService } from "../../src/rpc/server/service.ts";

export const someOrders: WorkerOrders = {
  epoch: 7,
  start: [],
  stop: [],
  holders: [],
  discard: [],
  settle: [],
  leaseMs: 10_000,
  drain: false,
};

export const someReport: WorkerReport = {
  worker: "w-1",
  incarnation: 1,
  sequence: 1,
  holdersKnown: {},
  address: "http://127.0.0.1:4000",
  slots: 2,
  slotsFree: 2,
  slotsAhead: 0,
  draining: false,
  running: [],
  finished: [],
  offered: [],
  settled: [],
  late: [],
};

export const someSpec: JobSpec = {
  name: "word-count",
  bundle: "0".repeat(64),
  inputs: [{ name: "", paths: ["/data/*.txt"] }],
  directory: "/data",
  standardInput: undefined,
  files: [],
  output: "/out",
  writes: "formats",
  partitions: 3,
  splitBytes: undefined,
  attemptsMax: 4,
  maxSlots: undefined,
  skipBad: 0,
  params: "{}",
  taskTimeoutMs: 600_000,
  checkpointMs: 0,
  taskLimitMs: undefined,
  nondeterministic: "rerun",
  replaces: undefined,
  environment: Object.assign(Object.create(null), { A: "b" }),
  startedAt: "2026-01-01T00:00:00.000Z",
};

const none = { done: 0, running: 0, total: 0 };

export function someView(job: string, state: JobState): JobView {
  return {
    job,
    name: "word-count",
    number: 1,
    resumable: false,
    state,
    tasks: { plan: none, map: none, reduce: none },
    counters: Object.create(null),
    stats: { inputBytes: 0, map: noStats, reduce: noStats },
    deadLetters: 0,
    running: [],
    failures: [],
    output: "/out",
  };
}

/** Answers every call at once; `overrides` replaces what a test is about. */
export function fakeMaster(overrides: Partial<MasterApi> = {}): MasterApi {
  return {
    async hello(hello) {
      checkHello(hello);
      const { protocol, millrace } = ourVersions;
      return { protocol, millrace, cluster: "c-1", leaseMs: 10_000, start: 7, timeMs: Date.now() };
    },
    heartbeat: async () => someOrders,
    submit: async ({ idempotencyKey }) => `job-${idempotencyKey}`,
    get: async (job) => someView(job, "mapping"),
    view: async () => ({ epoch: 7, jobs: [someView("j", "mapping")], workers: [] }),
    async *watch(job) {
      yield someView(job, "mapping");
      yield someView(job, "succeeded");
    },
    cancel: async () => "cancelled",
    retry: async () => {},
    async drain(worker) {
      throw new MillraceError("wrong-usage", `there is no worker ${worker}`);
    },
    async *logs() {
      yield { attempt: "map-00000.1.1", worker: "w-1", bytes: new TextEncoder().encode("hello\n") };
    },
    async *history(job) {
      for (const kind of ["submitted", "ended"]) {
        yield { time: "", kind, job, task: undefined, attempt: undefined, worker: undefined, message: undefined };
      }
    },
    ...overrides,
  };
}

export interface ServedMaster {
  readonly listener: Listener;
  readonly address: string;
  readonly port: number;
  readonly tokens: Readonly<Record<TokenScope, Secret>>;
}

/** A fake master on a port of its own, with a token of each scope. */
export async function serveMaster(api: MasterApi, options: Partial<ListenOptions> = {}): Promise<ServedMaster> {
  const tokens = { admin: randomToken(), submit: randomToken(), worker: randomToken(), read: randomToken() };
  const table = fixedTokens({
    admin: [tokens.admin],
    submit: [tokens.submit],
    worker: [tokens.worker],
    read: [tokens.read],
  });
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    gate: new Gate({ tokens: table, clock: systemClock }),
    routes: [],
    rpc: masterService(api),
    log: noLog,
    ...options,
  });
  return { listener, address: listener.address, port: Number(new URL(listener.address).port), tokens };
}
