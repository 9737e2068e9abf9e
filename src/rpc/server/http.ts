// One port of a process: what is served on it. The listener (listener.ts) looks at a connection's first bytes and hands it to
// the HTTP/2 or the HTTP/1.1 server; with TLS, ALPN says which. One gate stands in front of every route: a route that names no
// scope can't be made.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/**
 * What a token allows; each holds those before it, except that "worker" and "submit" don't hold each other. "admin" holds all.
 * "open": no token (health checks; they tell nothing else). "job-key": the request is signed with the job's shuffle key
 * (`signature.ts`), which workers derive from their token: HMAC over method, path,
 * query, the worker's host and port, the body and expiry.
 */
export type Scope = "open" | "read" | "submit" | "worker" | "admin" | "job-key";

export interface HttpRoute {
  /** A GET route is asked by HEAD too, and then sends no body: see `request.raw.method`. */
  readonly method: "GET" | "PUT" | "POST";
  /** Matched whole; ":name" is one segment, given decoded and checked against /^[\w.-]+$/. */
  readonly path: string;
  /** Any of them will do. */
  readonly scope: Scope | readonly Scope[];
  /** 0: no body. A longer one is answered with 413. */
  readonly bodyBytesMax: number;
  handle(request: HttpRequest, response: ServerResponse | Http2ServerResponse): Promise<void>;
}

export interface HttpRequest {
  readonly raw: IncomingMessage | Http2ServerRequest;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Aborted when the client is gone, or the listener closes. */
  readonly signal: AbortSignal;
}

export interface TlsFiles {
  /** PEM files; only TLS 1.3 is spoken. */
  readonly cert: string;
  readonly key: string;
}

export interface Listener {
  /** "http://127.0.0.1:7070": what others reach this process by. */
  readonly address: string;
  /** Ends connections after what is under way, or at once when `graceMs` have passed. */
  close(graceMs?: number): Promise<void>;
}
