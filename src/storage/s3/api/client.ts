// Signed requests to an object store, repeated while that can help, with full jitter between tries ("Exponential
// Backoff And Jitter", AWS Architecture Blog). A try ends when nothing moves any more (api/silence.ts). An answer is
// read within its try: an answer that is not whole, or not one to this request, is a failed try, as a lost connection
// is.
import { createHash } from "node:crypto";
import { MillraceError, systemCode } from "../../../base/error.ts";
import { KiB, limits } from "../../../base/limits.ts";
import type { Clock } from "../../../base/system/clock.ts";
import type { S3Access } from "../access.ts";
import { encodeKey, encodeStrictly, type S3Url, s3Path } from "../url.ts";
import { S3Error } from "./error.ts";
import { IdleWatch, Silence } from "./silence.ts";
import type { HttpResponse, S3Body, S3Transport } from "./transport.ts";
import { looseText, parseXml, type XmlElement, XmlFault } from "./xml.ts";

export interface S3ClientOptions {
  /** Asked for when they are needed; undefined: there are no credentials. */
  readonly access: () => S3Access | undefined;
  /**
   * Whether the bucket is in the path instead of the host's name. Default: yes for an endpoint of one's own and for
   * names with dots.
   */
  readonly pathStyle?: boolean | undefined;
  readonly transport: S3Transport;
  readonly clock: Clock;
  /** Returns 0 <= x < 1. */
  readonly random: () => number;
}

/** How long a request is waited for. */
export interface S3Waiting {
  /** Ends the wait, which then throws "cancelled". */
  readonly signal?: AbortSignal | undefined;
  /** Shared by all requests of one list. Default: the request has its own. */
  readonly silence?: Silence | undefined;
}

export interface S3Request extends S3Waiting {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly url: S3Url;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: S3Body;
  /** The most bytes that the answer may have. Default: as many as an answer in XML. */
  readonly bytesMax?: number;
  /** The first of them are useful, whatever follows. */
  readonly isPartOfUse?: true;
}

/** Grows fourfold: a store that is too busy needs more than a second. */
const backOffMs = 500;
const backOffMaxMs = 8_000;
/** Bytes of an error's text that are read; the text is for people. */
const errorBytesMax = 64 * KiB;

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
  /** The signing keys of the day. */
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor(options: S3ClientOptions) {
    this.#options = options;
  }

  /**
   * Sends the request, and returns what `read` makes of the answer, whatever its status below 500. Throws `S3Error`
   * when the store can't be brought to answer, and "cancelled" when no one waits any more. For an answer that does not
   * answer this request, `read` throws an `S3Error` that is retryable.
   */
  async send<T>(request: S3Request, read: (response: HttpResponse) => T): Promise<T> {
    const { clock, random } = this.#options;
    const { signal, silence = new Silence() } = request;
    for (let tries = 1; ; tries++) {
      const tried = await this.#try(request, silence, read);
      if ("value" in tried) return tried.value;
      const { failure } = tried;
      if (signal?.aborted) throw cancelled(request, signal.reason);
      const pauseMs = random() * Math.min(backOffMaxMs, backOffMs * 4 ** (tries - 1));
      const isLast = tries >= limits.storeTriesMax || silence.leftMs <= pauseMs;
      if (!failure.isRetryable || isLast) throw failure.isRetryable ? failure.after(tries) : failure;
      silence.add(pauseMs);
      await clock.sleep(pauseMs, signal);
      if (signal?.aborted) throw cancelled(request, signal.reason);
    }
  }

  async #try<T>(
    request: S3Request,
    silence: Silence,
    read: (response: HttpResponse) => T,
  ): Promise<{ readonly value: T } | { readonly failure: S3Error }> {
    const { clock, transport } = this.#options;
    const { method, body, isPartOfUse, bytesMax = limits.storeXmlBytesMax } = request;
    const stop = new AbortController();
    const giveUp = () => stop.abort(cancelled(request, request.signal?.reason));
    const watch = new IdleWatch(clock, silence, () => stop.abort(timedOut(request)));
    request.signal?.addEventListener("abort", giveUp, { once: true });
    if (request.signal?.aborted) giveUp();
    try {
      const { href, headers } = await this.#signed(request);
      stop.signal.throwIfAborted();
      const response = await transport({
        method,
        url: href,
        headers,
        body,
        signal: stop.signal,
        bytesMax,
        isPartOfUse,
        watch,
      });
      const failure = errorIn(request, response);
      return failure === undefined ? { value: read(response) } : { failure };
    } catch (thrown) {
      const failure = this.#failureOf(request, thrown, stop.signal.reason);
      silence.add(watch.silentMs);
      return { failure };
    } finally {
      watch.end();
      request.signal?.removeEventListener("abort", giveUp);
    }
  }

  /** Throws an error that no other try helps against. */
  #failureOf(request: S3Request, thrown: unknown, stopped: unknown): S3Error {
    if (stopped instanceof S3Error) return stopped;
    if (stopped instanceof MillraceError) throw stopped;
    if (thrown instanceof S3Error) return thrown;
    if (thrown instanceof MillraceError && thrown.code !== "io-error") throw thrown;
    return noAnswer(request, thrown, this.#hostOf(request.url));
  }

  async #signed(request: S3Request): Promise<{ readonly href: string; readonly headers: Record<string, string> }> {
    const { method, url, query = {}, headers, body } = request;
    const access = this.#accessFor(url);
    const { AwsV4Signer } = await import("aws4fetch");
    const search = Object.entries(query).map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`);
    const href = `${this.#baseOf(access, url)}${search.length === 0 ? "" : `?${search.join("&")}`}`;
    const signer = new AwsV4Signer({
      method,
      url: href,
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
    return { href, headers: Object.fromEntries(signed.headers as unknown as Iterable<[string, string]>) };
  }

  #accessFor(url: S3Url): S3Access {
    const access = this.#options.access();
    if (access !== undefined) return access;
    throw new MillraceError(
      "wrong-usage",
      `${s3Path(url)} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_REGION, or AWS_ENDPOINT_URL for a store of your own) in the environment of this process, and of every master and worker.`,
    );
  }

  #baseOf(access: S3Access, { bucket, key }: S3Url): string {
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

  #hostOf(url: S3Url): string {
    const access = this.#options.access();
    return access === undefined ? "" : new URL(this.#baseOf(access, { ...url, key: "" })).host;
  }
}

/**
 * The digest of the whole body. It is signed with the request, so that the store refuses a body that was damaged on the
 * way.
 */
function digestOf(body: S3Body | undefined): string {
  const hash = createHash("sha256");
  if (body !== undefined) for (const chunk of body.chunks()) hash.update(chunk);
  return hash.digest("hex");
}

/**
 * The error in an answer: server errors, throttling, errors with a status of success, and words that are not a store's.
 */
function errorIn(request: S3Request, response: HttpResponse): S3Error | undefined {
  const { status, body, headers } = response;
  const isContent = (request.method === "GET" || request.method === "HEAD") && status < 300;
  if (status >= 500 && status !== 501) return errorOf(request, status, startOf(body), true);
  const text = isContent ? "" : startOf(body);
  // Completing an upload answers 200 before it has succeeded, and says in the body when it has not.
  const isError = status >= 300 || /^\s*(<\?xml[^>]*>\s*)?<Error[\s>]/.test(text);
  if (isError) {
    const code = looseText(text, "Code") ?? "";
    const isTemporary = status === 429 || status === 408 || status < 300 || retryableCodes.has(code);
    if (isTemporary) return errorOf(request, status, text, true);
  }
  // A proxy's page says nothing about an object, whatever its status is.
  const isPage = !isContent && (isHtml(headers) || (text.trim() !== "" && !text.trimStart().startsWith("<")));
  if (isPage || /^\s*(<!doctype\s+html|<html)[\s>]/i.test(text)) return wrongAnswer(request, response, notOfAStore);
  return undefined;
}

const notOfAStore = "what came is not the answer of an object store (a proxy's page?)";

function isHtml(headers: HttpResponse["headers"]): boolean {
  return /^\s*text\/html\b/i.test(headers["content-type"] ?? "");
}

function startOf(body: Buffer): string {
  return body.subarray(0, errorBytesMax).toString("utf8");
}

/** The error for an answer that its caller has no use for. */
export function unexpected(request: S3Request, { status, body }: HttpResponse): S3Error {
  return errorOf(request, status, startOf(body), false);
}

/** The error for an answer that does not answer this request, or only in part: the next one may. */
export function wrongAnswer(request: S3Request, { status }: Pick<HttpResponse, "status">, why: string): S3Error {
  return new S3Error(status, "wrong-answer", `${nameOf(request)} was answered with ${status}, but ${why}`, true);
}

/** The error for an answer that is whole, and wrong: it would come again. */
export function impossible(request: S3Request, { status }: Pick<HttpResponse, "status">, why: string): S3Error {
  return new S3Error(status, "wrong-answer", `${nameOf(request)} was answered with ${status}, but ${why}`, false);
}

/** Parses an answer in XML, whose outermost element must have this name. */
export function documentOf(request: S3Request, response: HttpResponse, name: string): XmlElement {
  if (response.isCut === true) {
    throw impossible(request, response, `it has more than ${limits.storeXmlBytesMax} bytes`);
  }
  try {
    const document = parseXml(new TextDecoder("utf-8", { fatal: true }).decode(response.body));
    if (document.name === name) return document;
    throw new XmlFault(`it is <${document.name.slice(0, 40)}>, not <${name}>`);
  } catch (thrown) {
    if (!(thrown instanceof XmlFault) && !(thrown instanceof TypeError)) throw thrown;
    const why = thrown instanceof XmlFault ? thrown.message : "it is not UTF-8";
    throw wrongAnswer(request, response, `the answer can't be read: ${why}`);
  }
}

export function codeOf({ body }: HttpResponse): string {
  return looseText(startOf(body), "Code") ?? "";
}

function errorOf(request: S3Request, status: number, text: string, isRetryable: boolean): S3Error {
  const code = looseText(text, "Code") ?? "";
  const message = looseText(text, "Message");
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

function timedOut(request: S3Request): S3Error {
  const seconds = limits.storeIdleMs / 1000;
  return new S3Error(0, "ETIMEDOUT", `${nameOf(request)} got no answer within ${seconds} s, or nothing more`, true);
}

function cancelled(request: S3Request, reason: unknown): MillraceError {
  if (reason instanceof MillraceError) return reason;
  return new MillraceError("cancelled", `${nameOf(request)} was given up: no one waits for it any more`, {
    retry: "elsewhere",
  });
}

function nameOf({ method, url }: S3Request): string {
  return `${method} ${s3Path(url)}`;
}
