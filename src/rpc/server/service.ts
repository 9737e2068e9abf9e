// Serves a `MasterApi` as the services of `proto/millrace/v1/service.proto`: gRPC, gRPC-Web and Connect (plain JSON
// too), all by the same handlers. Loaded by a master only.
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { held } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { KiB, limits } from "../../base/limits.ts";
import { type Clock, systemClock } from "../../base/system/clock.ts";
import { type Log, noLog } from "../../base/system/log.ts";
import type { MasterApi } from "../../protocol/services.ts";
import { encodeOrders } from "../../wire/convert.ts";
import { fromHello, fromSubmission, toHistoryEvent, toLogChunk, toWelcome } from "../../wire/convert-service.ts";
import { toClusterView, toJobView } from "../../wire/convert-view.ts";
import { fromReport, toOrders } from "../../wire/convert-worker.ts";
import { toWire } from "../../wire/error.ts";
import { Jobs, Workers } from "../../wire/gen/millrace/v1/service_pb.ts";
import { type PortionOptions, readReport } from "../../wire/report-plans.ts";
import { checkWorkerAddress } from "../access/worker-address.ts";
import type { AnyRequest, AnyResponse, RpcMethods } from "./dispatch.ts";
import type { Scope } from "./http.ts";
import { isPlainGrpc, serveUnary, type UnaryCall } from "./unary.ts";

export interface ServiceOptions {
  readonly clock?: Clock;
  readonly log?: Log;
}

/** Work is cut into portions of some milliseconds. */
const portions: PortionOptions = {
  reportBytes: 256 * KiB,
  portionBytes: 64 * KiB,
  pause: () => new Promise((resolve) => setImmediate(resolve)),
};
/** A watch sends the newest view at most once in this time, however fast the job changes. */
const watchEveryMs = 100;

const scopes: Readonly<Record<keyof typeof Workers.method | `jobs.${keyof typeof Jobs.method}`, Scope>> = {
  hello: "worker",
  heartbeat: "worker",
  "jobs.hello": "read",
  "jobs.submit": "submit",
  "jobs.get": "read",
  "jobs.view": "read",
  "jobs.watch": "read",
  "jobs.cancel": "submit",
  "jobs.retry": "submit",
  "jobs.drain": "admin",
  "jobs.logs": "read",
  "jobs.history": "read",
};

/** The services of a master, for `rpc` of `listen`. */
export function masterService(api: MasterApi, { clock = systemClock, log = noLog }: ServiceOptions = {}): RpcMethods {
  const router = createConnectRouter({ acceptCompression: [compressionGzip], writeMaxBytes: limits.messageBytesMax });
  serveWorkers(router, api, log);
  serveJobs(router, api, { clock, log });
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const heartbeatPath = `/${Workers.typeName}/${Workers.method.heartbeat.name}`;
  const heartbeatCall: UnaryCall = {
    bytesMax: limits.messageBytesMax,
    answer: (message, signal) =>
      guarded(log, async () => {
        const report = await readReport(message, portions).catch(unreadable);
        checkWorkerAddress(report.address);
        return encodeOrders(await api.heartbeat(report, signal));
      }),
  };
  return {
    scopes: methodScopes(),
    async handle(request: AnyRequest, response: AnyResponse): Promise<void> {
      const path = (request.url ?? "").split("?", 1)[0]!;
      if (path === heartbeatPath && isPlainGrpc(request)) return await serveUnary(request, response, heartbeatCall);
      const handler = held(handlers, path, "handler");
      try {
        const answer = await handler(universalRequestFromNodeRequest(request, response, undefined, undefined));
        await universalResponseToNodeResponse(answer, response);
      } catch (error) {
        // The caller is gone. An error of the handler itself was answered already.
        log.debug({ path: request.url, error: String(error) }, "a call ended before its answer was sent");
        response.destroy();
      }
    },
  };
}

function methodScopes(): ReadonlyMap<string, Scope> {
  const all = new Map<string, Scope>();
  for (const method of Workers.methods)
    all.set(`/${Workers.typeName}/${method.name}`, scopes[method.localName as keyof typeof Workers.method]);
  for (const method of Jobs.methods)
    all.set(`/${Jobs.typeName}/${method.name}`, scopes[`jobs.${method.localName as keyof typeof Jobs.method}`]);
  return all;
}

/** 0 and what is no time: not bounded. */
function drainTime(withinMs: number): number | undefined {
  return Number.isFinite(withinMs) && withinMs > 0 ? Math.ceil(withinMs) : undefined;
}

function serveWorkers(router: ConnectRouter, api: MasterApi, log: Log): void {
  const service: ServiceImpl<typeof Workers> = {
    hello: (request, { signal }) =>
      guarded(log, async () => toWelcome(await api.hello(read(fromHello, request), signal))),
    heartbeat: (request, { signal }) =>
      guarded(log, async () => {
        const report = read(fromReport, request);
        checkWorkerAddress(report.address);
        return toOrders(await api.heartbeat(report, signal));
      }),
  };
  router.service(Workers, service, { readMaxBytes: limits.messageBytesMax });
}

function serveJobs(router: ConnectRouter, api: MasterApi, { clock, log }: Required<ServiceOptions>): void {
  const service: ServiceImpl<typeof Jobs> = {
    hello: (request, { signal }) =>
      guarded(log, async () => toWelcome(await api.hello(read(fromHello, request), signal))),
    submit: (request, { signal }) =>
      guarded(log, async () => ({ job: await api.submit(read(fromSubmission, request), signal) })),
    get: ({ job }, { signal }) => guarded(log, async () => toJobView(await api.get(job, signal))),
    view: (_request, { signal }) => guarded(log, async () => toClusterView(await api.view(signal))),
    watch: ({ job }, { signal }) =>
      guardedStream(log, signal, async function* () {
        for await (const view of api.watch(job, signal)) {
          yield toJobView(view);
          await clock.sleep(watchEveryMs, signal);
        }
      }),
    cancel: ({ job }, { signal }) => guarded(log, async () => ({ outcome: await api.cancel(job, signal) })),
    retry: ({ job }, { signal }) => guarded(log, async () => done(await api.retry(job, signal))),
    drain: ({ worker, withinMs }, { signal }) =>
      guarded(log, async () => done(await api.drain(worker, drainTime(withinMs), signal))),
    logs: ({ job, attempt }, { signal }) =>
      guardedStream(log, signal, async function* () {
        for await (const chunk of api.logs(job, attempt, signal)) yield toLogChunk(chunk);
      }),
    history: ({ job }, { signal }) =>
      guardedStream(log, signal, async function* () {
        for await (const event of api.history(job, signal)) yield toHistoryEvent(event);
      }),
  };
  router.service(Jobs, service, { readMaxBytes: limits.questionBytesMax });
}

/** The empty message. */
function done(_nothing: void) {
  return {};
}

/** Reads a message. Throws InvalidArgument when it can't be read. */
function read<M, T>(from: (message: M) => T, message: M): T {
  try {
    return from(message);
  } catch (error) {
    return unreadable(error);
  }
}

function unreadable(error: unknown): never {
  const why = error instanceof Error ? error.message : String(error);
  throw new ConnectError(
    `the request can't be read (${why}); was it written by another version?`,
    Code.InvalidArgument,
  );
}

async function guarded<T>(log: Log, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw wireError(log, error);
  }
}

async function* guardedStream<T>(
  log: Log,
  signal: HandlerContext["signal"],
  call: () => AsyncIterable<T>,
): AsyncIterable<T> {
  try {
    for await (const item of call()) {
      yield item;
      if (signal.aborted) return;
    }
  } catch (error) {
    throw wireError(log, error);
  }
}

function wireError(log: Log, error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof MillraceError) return toWire(error);
  log.error({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, "a call failed inside");
  return new ConnectError("the call failed inside; the master's log says why", Code.Internal);
}
