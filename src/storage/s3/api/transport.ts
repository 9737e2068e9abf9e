// One HTTP exchange with an object store, with the answer in memory. `fetch` is no alternative: it decompresses what
// was stored with a Content-Encoding, and here the stored bytes count.
import type { ClientRequest, IncomingMessage } from "node:http";
import { MillraceError } from "../../../base/error.ts";
import { MiB } from "../../../base/limits.ts";

export interface S3Body {
  readonly bytes: number;
  /** The body from its start; asked for again when the request is repeated. */
  chunks(): Iterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: S3Body | undefined;
  /** Aborted when nothing moves any more, or no one waits for the answer. */
  readonly signal: AbortSignal;
  /** Bytes of the answer that are read; the rest is not. */
  readonly bytesMax: number;
  /**
   * Whether the first `bytesMax` bytes are useful by themselves; otherwise a longer answer counts as none, and is not
   * read.
   */
  readonly isPartOfUse?: boolean | undefined;
  /** Called as things happen. Default: no one watches. */
  readonly watch?: { step(): void; moved(bytes: number): void } | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Whether there is more than `bytesMax`, which was not read. */
  readonly isCut?: boolean;
}

/** Rejects with a system error (ECONNRESET, …) or the signal's reason. An answer of any status resolves. */
export type S3Transport = (request: HttpRequest) => Promise<HttpResponse>;

/**
 * Connections at a time: more than callers make requests in parallel, as a request that waits for one would look like a
 * silent store.
 */
const socketsMax = 256;
/** An answer's announced length is believed up to this size; a longer one gets its memory as it comes. */
const believedBytesMax = 8 * MiB;

/** Keeps connections open, without keeping the process alive. Loads its modules with the first request. */
export function nodeTransport(): S3Transport {
  let loading: Promise<(request: HttpRequest) => ClientRequest> | undefined;
  return async (request) => {
    loading ??= openAgents();
    const open = await loading;
    return await exchange(open(request), request);
  };
}

async function openAgents(): Promise<(request: HttpRequest) => ClientRequest> {
  const http = await import("node:http");
  const https = await import("node:https");
  const options = { keepAlive: true, maxSockets: socketsMax };
  const plain = new http.Agent(options);
  const secure = new https.Agent(options);
  return ({ method, url, headers, body, signal }) => {
    const isSending = method === "PUT" || method === "POST";
    const length = body === undefined && !isSending ? undefined : String(body?.bytes ?? 0);
    const settings = {
      method,
      headers: { ...headers, ...(length === undefined ? {} : { "content-length": length }) },
      signal,
    };
    return url.startsWith("https:")
      ? https.request(url, { ...settings, agent: secure })
      : http.request(url, { ...settings, agent: plain });
  };
}

function exchange(outgoing: ClientRequest, request: HttpRequest): Promise<HttpResponse> {
  return new Promise<HttpResponse>((resolve, reject) => {
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => void receive(incoming, request).then(resolve, reject));
    void send(outgoing, request).catch((error: unknown) => outgoing.destroy(error as Error));
  });
}

async function send(outgoing: ClientRequest, { body, watch }: HttpRequest): Promise<void> {
  if (body !== undefined) {
    for (const chunk of body.chunks()) {
      if (outgoing.destroyed) return;
      await written(outgoing, chunk);
      watch?.moved(chunk.length);
    }
  }
  outgoing.end(() => watch?.step());
}

/**
 * Resolves when the system has taken the chunk, or the connection is closed; the request's error says what went wrong.
 */
function written(outgoing: ClientRequest, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("close", done);
    outgoing.write(chunk, done);
  });
}

async function receive(incoming: IncomingMessage, request: HttpRequest): Promise<HttpResponse> {
  const { bytesMax, method, watch, isPartOfUse } = request;
  watch?.step();
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) headers[name] = String(value);
  const promised = method === "HEAD" ? undefined : headers["content-length"];
  const wanted = promised === undefined ? undefined : Math.min(Number(promised), bytesMax);
  if (Number(promised) > bytesMax && isPartOfUse !== true) {
    incoming.destroy();
    return { status: incoming.statusCode ?? 0, headers, body: Buffer.alloc(0), isCut: true };
  }
  // One buffer from the start, as the answer may be large.
  let body = Buffer.allocUnsafe(Math.min(wanted ?? 0, believedBytesMax));
  let bytes = 0;
  let isCut = false;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    watch?.moved(chunk.length);
    const taken = Math.min(chunk.length, bytesMax - bytes);
    if (bytes + taken > body.length) {
      const larger = Buffer.allocUnsafe(Math.min(bytesMax, Math.max(2 * body.length, bytes + taken)));
      body.copy(larger, 0, 0, bytes);
      body = larger;
    }
    bytes += chunk.copy(body, bytes, 0, taken);
    isCut = taken < chunk.length || (bytes === bytesMax && Number(promised) > bytesMax);
    if (!isCut) continue;
    incoming.destroy();
    break;
  }
  // Node reports most of these itself, but an answer that a proxy cut may look whole.
  if ((wanted !== undefined && bytes < wanted) || !(isCut || incoming.complete)) {
    throw new MillraceError(
      "io-error",
      `the answer was cut off after ${bytes}${promised === undefined ? "" : ` of ${promised}`} bytes`,
    );
  }
  return { status: incoming.statusCode ?? 0, headers, body: body.subarray(0, bytes), isCut };
}
