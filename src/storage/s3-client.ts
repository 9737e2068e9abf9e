// Signed requests to an object store, repeated while that can help: full jitter between tries ("Exponential Backoff And
// Jitter", AWS Architecture Blog), a deadline for each try that grows with what it carries.
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { MillraceError, systemCode } from "../base/error.ts";
import { KiB, MiB } from "../base/limits.ts";
import type { S3Access } from "./s3-access.ts";
import { S3Error } from "./s3-error.ts";
import { encodeKey, encodeStrictly, type S3Place, s3Path } from "./s3-place.ts";
import type { HttpResponse, S3Body, S3Transport } from "./s3-transport.ts";
import { textOf } from "./s3-xml.ts";

export interface S3ClientOptions {
  /** Asked for when it is needed; undefined: there is none. */
  readonly access: () => S3Access | undefined;
  /** Bucket in the path instead of the host's name. Default: yes for an endpoint of one's own and for names with dots. */
  readonly pathStyle?: boolean | undefined;
  readonly transport: S3Transport;
  readonly clock: Clock;
  /** 0 <= x < 1. */
  readonly random: () => number;
}

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly place: S3Place;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: S3Body;
  /** Bytes of the answer. Default 64 MiB. */
  readonly bytesMax?: number;
  readonly signal?: AbortSignal | undefined;
}

const triesMax = 8;
const backOffMs = 200;
const backOffMaxMs = 10_000;
/** For a request and its answer without what they carry, and for so many bytes of that. */
const deadlineMs = 30_000;
const bytesPerMs = 64;

const retryableCodes: ReadonlySet<string> = new Set([
  "InternalError",
  "OperationAborted",
  "ConditionalRequestConflict",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
]);

export class S3Client {
  readonly #options: S3ClientOptions;
  /** Signing keys of the day. */
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor(options: S3ClientOptions) {
    this.#options = options;
  }

  /** The answer, whatever its status below 500; throws `S3Error` when the store can't be brought to answer. */
  async send(request: S3Request): Promise<HttpResponse> {
    const { clock, random } = this.#options;
    for (let tries = 1; ; tries++) {
      const failure = await this.#try(request);
      if (!(failure instanceof S3Error)) return failure;
      if (!failure.isRetryable || tries === triesMax || request.signal?.aborted) throw failure;
      await clock.sleep(random() * Math.min(backOffMaxMs, backOffMs * 2 ** (tries - 1)), request.signal);
    }
  }

  async #try(request: S3Request): Promise<HttpResponse | S3Error> {
    const { clock, transport } = this.#options;
    const { method, place, body, bytesMax = 64 * MiB } = request;
    const stop = new AbortController();
    const giveUp = () => stop.abort(new S3Error(0, "aborted", `${nameOf(request)} was given up`, false));
    const answered = new AbortController();
    const allowedMs = deadlineMs + ((body?.bytes ?? 0) + Math.min(bytesMax, 64 * MiB)) / bytesPerMs;
    void clock.sleep(allowedMs, answered.signal).then(() => {
      if (!answered.signal.aborted) stop.abort(timedOut(request, allowedMs));
    });
    request.signal?.addEventListener("abort", giveUp, { once: true });
    if (request.signal?.aborted) giveUp();
    try {
      const { url, headers } = await this.#signed(request);
      stop.signal.throwIfAborted();
      const response = await transport({ method, url, headers, body, signal: stop.signal, bytesMax });
      return errorIn(request, response) ?? response;
    } catch (thrown) {
      if (thrown instanceof MillraceError && thrown.code !== "io-error") throw thrown;
      if (stop.signal.reason instanceof S3Error) return stop.signal.reason;
      return noAnswer(request, thrown, this.#hostOf(place));
    } finally {
      answered.abort();
      request.signal?.removeEventListener("abort", giveUp);
    }
  }

  async #signed(request: S3Request): Promise<{ readonly url: string; readonly headers: Record<string, string> }> {
    const { method, place, query = {}, headers, body } = request;
    const access = this.#accessFor(place);
    const { AwsV4Signer } = await import("aws4fetch");
    const search = Object.entries(query).map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`);
    const url = `${this.#baseOf(access, place)}${search.length === 0 ? "" : `?${search.join("&")}`}`;
    const signer = new AwsV4Signer({
      method,
      url,
      headers: { ...headers, "x-amz-content-sha256": digestOf(body) },
      accessKeyId: access.accessKeyId,
      secretAccessKey: access.secretAccessKey.reveal(),
      ...(access.sessionToken === undefined ? {} : { sessionToken: access.sessionToken.reveal() }),
      service: "s3",
      region: access.region,
      cache: this.#signingKeys,
      datetime: this.#options.clock
        .date()
        .toISOString()
        .replace(/[:-]|\.\d{3}/g, ""),
    });
    const signed = await signer.sign();
    return { url, headers: Object.fromEntries(signed.headers as unknown as Iterable<[string, string]>) };
  }

  #accessFor(place: S3Place): S3Access {
    const access = this.#options.access();
    if (access !== undefined) return access;
    throw new MillraceError(
      "wrong-usage",
      `${s3Path(place)} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_REGION, or AWS_ENDPOINT_URL for a store of your own) in the environment of this process, and of every master and worker.`,
    );
  }

  #baseOf(access: S3Access, { bucket, key }: S3Place): string {
    const isPath = this.#options.pathStyle ?? (access.endpoint !== undefined || bucket.includes("."));
    const given = access.endpoint ?? `https://s3.${access.region}.amazonaws.com`;
    if (!/^https?:\/\/[^/?#]+\/?$/i.test(given)) {
      throw new MillraceError(
        "wrong-usage",
        `AWS_ENDPOINT_URL is ${JSON.stringify(given)}: give it as http(s)://HOST:PORT`,
      );
    }
    const endpoint = given.replace(/\/$/, "");
    return isPath
      ? `${endpoint}/${bucket}/${encodeKey(key)}`
      : `${endpoint.replace("://", `://${bucket}.`)}/${encodeKey(key)}`;
  }

  #hostOf(place: S3Place): string {
    const access = this.#options.access();
    return access === undefined ? "" : new URL(this.#baseOf(access, { ...place, key: "" })).host;
  }
}

/** The whole body's; signed with the request, so that the store refuses what was damaged on the way. */
function digestOf(body: S3Body | undefined): string {
  const hash = createHash("sha256");
  if (body !== undefined) for (const chunk of body.chunks()) hash.update(chunk);
  return hash.digest("hex");
}

/** What can't be the answer: server errors, throttling, and errors that come with a status of success. */
function errorIn(request: S3Request, { status, body }: HttpResponse): S3Error | undefined {
  const text = status >= 300 || request.method === "POST" ? body.subarray(0, 64 * KiB).toString("utf8") : "";
  // Completing an upload answers 200 before it has succeeded, and says in the body when it has not.
  const isError = status >= 300 || /^\s*(<\?xml[^>]*>\s*)?<Error[\s>]/.test(text);
  if (!isError) return undefined;
  const code = textOf(text, "Code") ?? "";
  const isRetryable = status >= 500 || status === 429 || status === 408 || status === 200 || retryableCodes.has(code);
  // Not implemented now, not implemented later.
  if (status === 501 || !isRetryable) return undefined;
  return errorOf(request, status, text, true);
}

/** For an answer that its caller has no use for. */
export function unexpected(request: S3Request, { status, body }: HttpResponse): S3Error {
  return errorOf(request, status, body.subarray(0, 64 * KiB).toString("utf8"), false);
}

export function codeOf({ body }: HttpResponse): string {
  return textOf(body.subarray(0, 64 * KiB).toString("utf8"), "Code") ?? "";
}

function errorOf(request: S3Request, status: number, text: string, isRetryable: boolean): S3Error {
  const code = textOf(text, "Code") ?? "";
  const message = textOf(text, "Message");
  const said = [code, message].filter((part) => part !== undefined && part !== "").join(": ");
  return new S3Error(
    status,
    code,
    `${nameOf(request)} was answered with ${status}${said === "" ? "" : ` ${said.slice(0, 500)}`}`,
    isRetryable,
  );
}

function noAnswer(request: S3Request, thrown: unknown, host: string): S3Error {
  const why = thrown instanceof Error ? thrown.message || (systemCode(thrown) ?? thrown.name) : String(thrown);
  const code = systemCode(thrown) ?? "no-answer";
  // A spooled file that can't be read will not be readable the next time.
  const isOurs = code === "EIO" || code === "EBADF" || code === "ERR_INVALID_CHAR";
  return new S3Error(0, code, `${nameOf(request)} got no answer from ${host} (${why})`, !isOurs, thrown);
}

function timedOut(request: S3Request, ms: number): S3Error {
  return new S3Error(0, "ETIMEDOUT", `${nameOf(request)} got no answer within ${Math.round(ms / 1000)} s`, true);
}

function nameOf({ method, place }: S3Request): string {
  return `${method} ${s3Path(place)}`;
}
