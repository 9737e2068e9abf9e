// Handles one request, the same way over HTTP/1.1 and HTTP/2:
//
//   head ─► route? ─► gate ─► 404, 405, 413 ─► body within its bound ─► handler
//
// No byte of a body is read before the gate has let the request pass. Only callers with a token learn whether a path
// exists.
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { assert } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { meaningOf } from "../../base/error-codes.ts";
import type { Log } from "../../base/system/log.ts";
import { bodyHeader, emptyBody } from "../access/signature.ts";
import { endSilent, type SilenceBounds } from "../transfer-silence.ts";
import type { Gate, ListenerAddress, RequestHead } from "./gate.ts";
import type { HttpRequest, HttpRoute, Scope } from "./http.ts";

export type AnyRequest = IncomingMessage | Http2ServerRequest;
export type AnyResponse = ServerResponse | Http2ServerResponse;

/** The methods of Connect services, all by POST (`service.ts`). */
export interface RpcMethods {
  /** Scopes by path, such as "/millrace.v1.Jobs/Get". */
  readonly scopes: ReadonlyMap<string, Scope | readonly Scope[]>;
  handle(request: AnyRequest, response: AnyResponse): Promise<void>;
}

export interface DispatchOptions {
  readonly gate: Gate;
  readonly routes: readonly HttpRoute[];
  readonly rpc: RpcMethods | undefined;
  /** The listener's place. Called per request, as the listener has an address only once it is open. */
  readonly place: () => ListenerAddress;
  readonly silence: SilenceBounds;
  readonly log: Log;
  /** Aborted when the listener closes. */
  readonly closing: AbortSignal;
}

interface Found {
  readonly scopes: readonly Scope[];
  readonly params: Readonly<Record<string, string>>;
  readonly to:
    | { readonly kind: "route"; readonly route: HttpRoute }
    | { readonly kind: "rpc"; readonly rpc: RpcMethods };
}

export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #routes: readonly { readonly route: HttpRoute; readonly parts: readonly string[] }[];

  constructor(options: DispatchOptions) {
    this.#options = options;
    for (const { path, scope } of options.routes) {
      assert(path.startsWith("/"), `a path begins with "/": ${path}`);
      assert(scopesOf(scope).length > 0, `${path} names no scope`);
      assert(!scopesOf(scope).includes("job-key") || path.includes("/:job"), `${path} is signed, and names no job`);
    }
    for (const [path, scope] of options.rpc?.scopes ?? []) assert(scopesOf(scope).length > 0, `${path} names no scope`);
    this.#routes = options.routes.map((route) => ({ route, parts: route.path.split("/") }));
  }

  /**
   * Answers one request. `passed` is called when the gate has let the request pass with a token, `refused` when it has
   * refused it, before the answer is sent. `mayGoOn` answers `Expect: 100-continue`.
   */
  async handle(
    request: AnyRequest,
    response: AnyResponse,
    { passed, refused, mayGoOn }: { passed: () => void; refused: () => void; mayGoOn?: () => void },
  ): Promise<void> {
    const { gate, place, silence, log } = this.#options;
    // The signal tells of a connection that breaks. Without a listener the error would end the process.
    request.on("error", () => {});
    response.on("error", () => {});
    const head = headOf(request);
    const { found, isPathKnown } = this.#find(head);
    const refusal = gate.check(head, { scopes: found?.scopes ?? [], job: found?.params.job, place: place() });
    if (refusal !== undefined) {
      refused();
      return refuse(request, response, refusal.status, refusal.message);
    }
    if (found === undefined) {
      return isPathKnown
        ? refuse(request, response, 405, `${head.method} is not for ${head.path}`)
        : refuse(request, response, 404, `there is no ${head.path} here`);
    }
    if (!found.scopes.includes("open")) passed();
    const { to } = found;
    if (to.kind === "route") {
      const { bodyBytesMax } = to.route;
      const declared = Number(request.headers["content-length"] ?? 0);
      if (declared > bodyBytesMax) {
        return refuse(request, response, 413, `a body of at most ${bodyBytesMax} bytes is taken here`);
      }
      const signed = found.scopes.includes("job-key") ? request.headers[bodyHeader] : undefined;
      if (signed !== undefined && signed !== emptyBody && bodyBytesMax === 0) {
        return refuse(request, response, 401, otherBody);
      }
      if (signed !== undefined) checkBody(request, response, signed);
      boundBody(request, response, bodyBytesMax);
    }
    endSilent(request, response, silence);
    mayGoOn?.();
    try {
      response.setHeader("x-content-type-options", "nosniff");
      if (to.kind === "rpc") await to.rpc.handle(request, response);
      else await to.route.handle(this.#requestOf(request, response, found.params), response);
    } catch (error) {
      if (!(error instanceof MillraceError) && !response.destroyed) {
        log.error({ path: head.path, error: text(error) }, "a request's handler failed");
      }
      answerError(request, response, error);
    }
  }

  #find(head: RequestHead): { found: Found | undefined; isPathKnown: boolean } {
    const { rpc } = this.#options;
    const scope = rpc?.scopes.get(head.path);
    if (rpc !== undefined && scope !== undefined) {
      const found: Found = { scopes: scopesOf(scope), params: {}, to: { kind: "rpc", rpc } };
      return { found: head.method === "POST" ? found : undefined, isPathKnown: true };
    }
    let isPathKnown = false;
    const parts = head.path.split("/");
    for (const { route, parts: wanted } of this.#routes) {
      const params = match(wanted, parts);
      if (params === undefined) continue;
      isPathKnown = true;
      if (route.method === head.method || (route.method === "GET" && head.method === "HEAD"))
        return { found: { scopes: scopesOf(route.scope), params, to: { kind: "route", route } }, isPathKnown };
    }
    return { found: undefined, isPathKnown };
  }

  #requestOf(raw: AnyRequest, response: AnyResponse, params: Readonly<Record<string, string>>): HttpRequest {
    const gone = new AbortController();
    const { closing } = this.#options;
    const onClosing = () => gone.abort(closing.reason);
    if (closing.aborted) onClosing();
    closing.addEventListener("abort", onClosing, { once: true });
    response.once("close", () => {
      closing.removeEventListener("abort", onClosing);
      if (!response.writableFinished) gone.abort(new MillraceError("cancelled", "the client hung up"));
    });
    const query = (raw.url ?? "").split("?", 2)[1] ?? "";
    return { raw, params, query: new URLSearchParams(query), signal: gone.signal };
  }
}

function scopesOf(scope: Scope | readonly Scope[]): readonly Scope[] {
  return typeof scope === "string" ? [scope] : scope;
}

/** Matches a path. Literal parts are compared as they were sent, so an encoded letter makes another path (S8). */
function match(wanted: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (wanted.length !== parts.length) return undefined;
  const params: Record<string, string> = Object.create(null);
  for (const [index, part] of parts.entries()) {
    const want = wanted[index]!;
    if (!want.startsWith(":")) {
      if (want !== part) return undefined;
      continue;
    }
    const value = decoded(part);
    if (!/^[\w.-]+$/.test(value) || value === "." || value === "..") return undefined;
    params[want.slice(1)] = value;
  }
  return params;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return ""; // it is not UTF-8
  }
}

function headOf(request: AnyRequest): RequestHead {
  const url = request.url ?? "";
  const at = url.indexOf("?");
  return {
    method: request.method ?? "",
    path: at < 0 ? url : url.slice(0, at),
    query: at < 0 ? "" : url.slice(at + 1),
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    remoteAddress: request.socket.remoteAddress ?? "",
    isEncrypted: "encrypted" in request.socket && request.socket.encrypted === true,
  };
}

/** Ends a request whose body exceeds its bound. All bytes go through `push`, however the handler reads them. */
function boundBody(request: AnyRequest, response: AnyResponse, bytesMax: number): void {
  const push = request.push.bind(request);
  let bytes = 0;
  request.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    bytes += chunk?.length ?? 0;
    if (bytes <= bytesMax) return push(chunk, encoding);
    if (request.destroyed) return false;
    const error = new MillraceError("over-limit", `a body of at most ${bytesMax} bytes is taken here`);
    answerError(request, response, error);
    request.destroy(error);
    return false;
  };
}

const otherBody = "the body is not the one that was signed";

/** Ends a request whose body is not the one that was signed: its reader gets an error instead of the end. */
function checkBody(request: AnyRequest, response: AnyResponse, signed: string | readonly string[]): void {
  const push = request.push.bind(request);
  const hash = createHash("sha256");
  let isRight: boolean | undefined;
  request.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    if (chunk !== null) {
      hash.update(chunk);
      return push(chunk, encoding);
    }
    isRight ??= hash.digest("hex") === signed; // HTTP/2 pushes the end again when its stream closes
    if (isRight) return push(null);
    if (request.destroyed) return false;
    const error = new MillraceError("no-access", otherBody);
    if (!response.headersSent) refuse(request, response, 401, otherBody);
    request.destroy(error);
    return false;
  };
}

const connectCodes: Readonly<Record<number, string>> = {
  400: "invalid_argument",
  401: "unauthenticated",
  403: "permission_denied",
  404: "unimplemented",
  405: "unimplemented",
  413: "resource_exhausted",
  429: "unavailable",
};

/**
 * Refuses a request without reading its body. The answer's body is an error in Connect's form; gRPC clients, which
 * don't read it, find the message in a header.
 */
function refuse(request: AnyRequest, response: AnyResponse, status: number, message: string): void {
  const body = JSON.stringify({ code: connectCodes[status] ?? "unknown", message });
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "x-content-type-options": "nosniff",
    "x-millrace-error": encodeURIComponent(message),
  };
  if (status === 401) headers["www-authenticate"] = "Bearer";
  if (status === 429) headers["retry-after"] = "1";
  // The rest of the body is not read: the connection ends with the answer.
  if (request.httpVersionMajor === 1) headers.connection = "close";
  send(request, response, { status, headers, body });
}

/** Answers with an error as JSON: `{ code, message, retry }`, with a code of `base/error-codes.ts`. */
function answerError(request: AnyRequest, response: AnyResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    // It is too late for a status. Breaking the connection tells the client that the answer is incomplete.
    if (!response.writableFinished) response.destroy();
    return;
  }
  const known = error instanceof MillraceError;
  const body = JSON.stringify({
    code: known ? error.code : "io-error",
    message: known ? error.message : "the request failed inside; the log of the process says why",
    retry: known ? error.retry : "never",
  });
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "x-content-type-options": "nosniff",
  };
  if (known && error.code === "not-leader") {
    // An answer to HEAD has no body.
    headers["x-millrace-error"] = encodeURIComponent(error.message);
    headers["x-millrace-leader"] = error.leader ?? "";
  }
  if (request.httpVersionMajor === 1) headers.connection = "close";
  send(request, response, { status: (known ? meaningOf(error.code).http : undefined) ?? 500, headers, body });
}

function send(
  request: AnyRequest,
  response: AnyResponse,
  { status, headers, body }: { status: number; headers: Record<string, string>; body: string },
): void {
  response.writeHead(status, headers);
  const text = request.method === "HEAD" ? "" : body;
  if ("stream" in response) {
    // NO_ERROR after a whole answer: "stop sending, nothing is wrong" (RFC 9113, 8.1).
    response.end(text, () => response.stream?.close(0));
  } else {
    (response as ServerResponse).end(text);
  }
}

function text(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
