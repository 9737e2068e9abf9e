// The logs of attempts lie with the workers that ran them. The master fetches them by requests that are signed with the
// job's key, and passes them on. It connects only to addresses that registered workers have announced, follows no
// redirects, and reads a bounded number of bytes in a bounded time (S23).
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { MillraceError, systemCode } from "../base/error.ts";
import type { JobId, WorkerId } from "../base/ids.ts";
import { limits, MiB } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import type { HistoryEvent, LogChunk } from "../protocol/services.ts";
import { emptyBody, jobKey, signRequest } from "../rpc/access/signature.ts";
import type { Secret } from "../rpc/access/token-digest.ts";
import { workerLookup } from "../rpc/access/worker-address.ts";
import { endSilentCall, type SilenceBounds } from "../rpc/transfer-silence.ts";

/** A worker keeps 1 MiB of an attempt's log, and a line that says that it was cut. */
const logBytesMax = 2 * MiB;
const logSilence = { silenceMs: 10_000, silenceBytesMin: limits.silenceBytesMin };
/** How many attempts' logs are shown when no attempt is named. */
const attemptsShown = 5;

export interface LogSource {
  /** The attempt's name, such as "map-00012.1.7". */
  readonly attempt: string;
  /** The worker that ran it; undefined when the history does not tell. */
  readonly worker: WorkerId | undefined;
}

/** The attempts whose logs are asked for: the one named, or the newest that failed, or those that run. */
export async function logSources(
  events: AsyncIterable<HistoryEvent>,
  attempt: string | undefined,
): Promise<readonly LogSource[]> {
  const workers = new Map<string, WorkerId>();
  const running = new Set<string>();
  let failed: string[] = [];
  for await (const event of events) {
    if (event.attempt === undefined || event.worker === undefined) continue;
    if (attempt !== undefined) {
      // A worker that complains about a map's output is not the one that made it.
      if (event.attempt === attempt && event.kind.startsWith("attempt-")) workers.set(attempt, event.worker);
      continue;
    }
    if (event.kind === "attempt-started" || event.kind === "attempt-adopted") {
      running.add(event.attempt);
      workers.set(event.attempt, event.worker);
    } else if (event.kind.startsWith("attempt-")) {
      running.delete(event.attempt);
      if (event.kind === "attempt-failed") failed = [...failed.slice(1 - attemptsShown), event.attempt];
      else workers.delete(event.attempt);
    }
  }
  if (attempt !== undefined) return [{ attempt, worker: workers.get(attempt) }];
  const shown = failed.length > 0 ? failed : [...running].slice(-attemptsShown);
  return shown.map((name) => ({ attempt: name, worker: workers.get(name) }));
}

export interface LogProxyOptions {
  /** The worker tokens; the first one signs requests. */
  readonly workerTokens: () => readonly Secret[];
  /** How workers' certificates are checked (`clientTls`). */
  readonly tls: SecureContextOptions;
  readonly clock: Clock;
  /** How long a worker may be silent. Default: ten seconds. */
  readonly silence?: SilenceBounds;
}

export interface LogRequest {
  readonly worker: WorkerId;
  /** The worker's address, which was checked when the worker announced it. */
  readonly address: URL;
  readonly job: JobId;
  readonly attempt: string;
}

/**
 * A log's bytes, in pieces. Throws `unreachable`, naming worker and address, `bad-input` when the worker has no such
 * log, and `over-limit` for more bytes than a worker keeps.
 */
export async function* readLog(
  wanted: LogRequest,
  options: LogProxyOptions,
  signal: AbortSignal | undefined,
): AsyncIterable<LogChunk> {
  const { worker, attempt } = wanted;
  const response = await ask(wanted, options, signal);
  try {
    if (response.statusCode === 404) {
      throw new MillraceError(
        "bad-input",
        `worker ${worker} has no log of ${attempt} (any more): it may have printed nothing`,
      );
    }
    if (response.statusCode !== 200) {
      throw new MillraceError(
        "unreachable",
        `worker ${worker} at ${wanted.address.origin} answers ${response.statusCode} when it is asked for the log of ${attempt}`,
      );
    }
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > logBytesMax) {
        throw new MillraceError("over-limit", `the log of ${attempt} has more than ${logBytesMax} bytes`);
      }
      yield { attempt, worker, bytes: chunk };
    }
  } catch (error) {
    throw error instanceof MillraceError ? error : unreachable(wanted, error);
  } finally {
    response.destroy();
  }
}

async function ask(
  wanted: LogRequest,
  { workerTokens, tls, clock, silence = logSilence }: LogProxyOptions,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const { address, job, attempt } = wanted;
  const token = workerTokens()[0];
  if (token === undefined) throw new MillraceError("no-access", "there is no valid worker token to sign with");
  const path = `/v1/logs/${encodeURIComponent(job)}/${encodeURIComponent(attempt)}`;
  const signed = { method: "GET", path, query: "", address: address.origin, body: emptyBody };
  const headers = signRequest(jobKey(token, job), signed, clock.date());
  const send = address.protocol === "https:" ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    const request = send(new URL(path, address), {
      method: "GET",
      headers,
      agent: false,
      lookup: workerLookup,
      signal,
      ...(address.protocol === "https:" ? tls : {}),
    });
    endSilentCall(request, silence, (what) => new MillraceError("unreachable", cantBeReached(wanted, `it ${what}`)));
    request.on("response", resolve);
    request.on("error", (error) => reject(error instanceof MillraceError ? error : unreachable(wanted, error)));
    request.end();
  });
}

function unreachable(wanted: LogRequest, cause: unknown): MillraceError {
  const why = systemCode(cause) ?? (cause instanceof Error ? cause.message : String(cause));
  return new MillraceError("unreachable", cantBeReached(wanted, why), { cause });
}

function cantBeReached({ worker, address, attempt }: LogRequest, why: string): string {
  return `worker ${worker} at ${address.origin}, which has the log of ${attempt}, can't be reached: ${why}`;
}
