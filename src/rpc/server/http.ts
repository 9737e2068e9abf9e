// The types of a process's one port and its routes. The listener (listener.ts) looks at a connection's first bytes and
// hands it to the HTTP/2 or the HTTP/1.1 server; with TLS, ALPN says which. One gate stands in front of every route,
// and the type of a route demands a scope.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/**
 * What a caller must be allowed. A token of each kind also allows what the kinds before it allow, except that "worker"
 * and "submit" don't include each other. "admin" allows everything. "open" needs no token (health checks, which tell
 * nothing else). "job-key" needs a request that is signed with the job's shuffle key
 * (`signature.ts`), which workers derive from their token: HMAC over method, path,
 * query, the worker's host and port, the body and expiry.
 */
export type Scope = "open" | "read" | "submit" | "worker" | "admin" | "job-key";

export interface HttpRoute {
  /** A GET route also gets HEAD requests, for which it sends no body: see `request.raw.method`. */
  readonly method: "GET" | "PUT" | "POST";
  /** The whole path. ":name" stands for one segment, which is decoded and checked against /^[\w.-]+$/. */
  readonly path: string;
  /** The scope that a caller needs; of several, any one is enough. */
  readonly scope: Scope | readonly Scope[];
  /** The longest body in bytes; a longer one is answered with 413. 0: no body. */
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
  /** Paths of PEM files. Only TLS 1.3 is spoken. */
  readonly cert: string;
  readonly key: string;
}

export interface Listener {
  /** The address by which others reach this process, such as "http://127.0.0.1:7070". */
  readonly address: string;
  /** Ends connections when their requests have ended, or after `graceMs`. A second call returns at once. */
  close(graceMs?: number): Promise<void>;
}
