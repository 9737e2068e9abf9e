// One port of a process. It looks at the first bytes of a connection and hands it on:
//
//   clear text    "PRI" (HTTP/2 with prior knowledge, as gRPC speaks it) ─► HTTP/2;  anything else ─► HTTP/1.1
//   TLS 1.3       ALPN says "h2" ─► HTTP/2;  "http/1.1" or nothing ─► HTTP/1.1
//
// (Node's clear-text HTTP/2 server can't do both.) What a connection may cost before it has shown a token is bounded
// (S21): heads of 8 kB, no body, 10 s, few requests, few of them at once, none after the first that is refused, and a
// bounded number of connections. The oldest one without a token makes room for the next, so that holding connections
// open keeps no one out.
import { channel } from "node:diagnostics_channel";
import { setMaxListeners } from "node:events";
import {
  createServer as createHttp1,
  type Server as Http1Server,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import {
  constants,
  createServer as createHttp2,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { hostname } from "node:os";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { MillraceError, systemCode } from "../../base/error.ts";
import type { Log } from "../../base/system/log.ts";
import { noLog } from "../../base/system/log.ts";
import { assertSafeToListen, serverTls } from "../access/tls.ts";
import { defaultBounds, type ListenerBounds } from "./bounds.ts";
import { Dispatch, type RpcMethods } from "./dispatch.ts";
import { onFirstBytes } from "./first-bytes.ts";
import { type Gate, isLoopbackName } from "./gate.ts";
import type { HttpRoute, Listener, TlsFiles } from "./http.ts";
import { pingEvery } from "./pings.ts";
import { Connection, Unknown } from "./unknown-connections.ts";

export interface ListenOptions {
  /** The address to listen on, such as "127.0.0.1". Any address but loopback needs `tls`. */
  readonly host: string;
  /** The port; 0 is any free one. */
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  readonly gate: Gate;
  readonly routes: readonly HttpRoute[];
  /** Connect services: `masterService(api)`. Default: none. */
  readonly rpc?: RpcMethods | undefined;
  /**
   * The host by which others reach this process. Default: `host`, or this machine's name where `host` stands for all
   * addresses.
   */
  readonly advertise?: string | undefined;
  readonly log?: Log;
  readonly bounds?: Partial<ListenerBounds>;
}

/** Long enough for requests that are under way. */
const defaultGraceMs = 1000;

/**
 * Publishes every listener that is opened in this process, with its routes. A test checks that each of them is listed
 * with its scope (S27).
 */
export const opened = channel("millrace.listener.opened");
export interface Opened {
  readonly listener: Listener;
  readonly served: readonly { readonly method: string; readonly path: string; readonly scope: HttpRoute["scope"] }[];
}

/** Opens a listener. Throws `wrong-usage` where listening would be unsafe or impossible. */
export async function listen(options: ListenOptions): Promise<Listener> {
  assertSafeToListen({ host: options.host, tls: options.tls, hasTokens: options.gate.hasTokens });
  const port = new Port(options);
  await port.open();
  if (opened.hasSubscribers) {
    const methods = [...(options.rpc?.scopes ?? [])].map(([path, scope]) => ({ method: "POST", path, scope }));
    const routes = options.routes.map(({ method, path, scope }) => ({ method, path, scope }));
    opened.publish({ listener: port, served: [...routes, ...methods] } satisfies Opened);
  }
  return port;
}

class Port implements Listener {
  readonly #options: ListenOptions;
  readonly #bounds: ListenerBounds;
  readonly #server: Server;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #dispatch: Dispatch;
  readonly #connections = new Map<string, Connection>();
  readonly #unknown = new Unknown();
  readonly #sessions = new Map<ServerHttp2Session, Connection>();
  readonly #closing = new AbortController();
  #isClosing = false;
  #address = "";

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#bounds = { ...defaultBounds, ...options.bounds };
    setMaxListeners(0, this.#closing.signal); // every request that is under way listens
    this.#dispatch = new Dispatch({
      gate: options.gate,
      routes: options.routes,
      rpc: options.rpc,
      place: () => ({ isLoopback: isLoopbackName(options.host), address: this.#address }),
      silence: this.#bounds,
      log: options.log ?? noLog,
      closing: this.#closing.signal,
    });
    this.#http1 = this.#makeHttp1();
    this.#http2 = this.#makeHttp2();
    this.#server = this.#makeServer();
  }

  get address(): string {
    return this.#address;
  }

  async open(): Promise<void> {
    const { host, port, tls, advertise } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 4096 }, resolve);
    }).catch((error) => {
      throw new MillraceError("wrong-usage", `can't listen on ${host}:${port}: ${whyNot(systemCode(error))}`, {
        cause: error,
      });
    });
    const bound = this.#server.address() as AddressInfo;
    if (tls === undefined && !isLoopbackName(bound.address)) {
      // "localhost" may be any address in /etc/hosts.
      await this.close(0);
      assertSafeToListen({ host: bound.address, tls, hasTokens: true });
    }
    const isWildcard = bound.address === "0.0.0.0" || bound.address === "::";
    const name = advertise ?? (isWildcard ? hostname() : host);
    this.#address = `${tls === undefined ? "http" : "https"}://${name.includes(":") ? `[${name}]` : name}:${bound.port}`;
    this.#http1.emit("listening"); // makes Node watch for slow heads
  }

  async close(graceMs: number = defaultGraceMs): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions.keys()) session.close();
    this.#http1.closeIdleConnections();
    const timer = setTimeout(() => this.#abandon(), graceMs);
    await closed;
    clearTimeout(timer);
    this.#closing.abort(closedReason());
    this.#http1.close();
  }

  /** Ends everything immediately. */
  #abandon(): void {
    this.#closing.abort(closedReason());
    for (const { socket } of [...this.#connections.values()]) socket.destroy();
  }

  #makeServer(): Server {
    const { tls } = this.#options;
    if (tls === undefined) {
      const server = createTcp({ noDelay: true }, (socket) => {
        if (this.#admit(socket)) onFirstBytes(socket, (isHttp2) => this.#hand(socket, isHttp2));
      });
      server.maxConnections = this.#bounds.connections;
      return server;
    }
    const server = createTlsServer({
      ...serverTls(tls),
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: this.#bounds.headMs,
      noDelay: true,
    });
    server.maxConnections = this.#bounds.connections;
    server.prependListener("connection", (socket: Socket) => void this.#admit(socket));
    server.on("secureConnection", (socket: TLSSocket) => {
      socket.on("error", () => {});
      this.#hand(socket, socket.alpnProtocol === "h2");
    });
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    return server;
  }

  /** Admits a connection. Returns false when it was ended instead. */
  #admit(socket: Socket): boolean {
    socket.on("error", () => {}); // the socket closes then, and nothing else is to be done
    if (this.#isClosing || socket.remoteAddress === undefined) {
      socket.destroy();
      return false;
    }
    socket.setKeepAlive(true, 15_000);
    const key = keyOf(socket);
    const connection = new Connection(socket, socket.remoteAddress);
    this.#connections.set(key, connection);
    socket.once("close", () => {
      this.#connections.delete(key);
      this.#unknown.remove(connection);
    });
    this.#unknown.add(connection, this.#bounds.headMs);
    for (const evicted of this.#unknown.surplus(connection, this.#bounds)) evicted.socket.destroy();
    return !socket.destroyed;
  }

  #hand(socket: Socket, isHttp2: boolean): void {
    const connection = this.#connections.get(keyOf(socket));
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    if (isHttp2) {
      // Node makes and announces the session within this call.
      this.#http2.once("session", (session) => this.#keep(session, connection));
      this.#http2.emit("connection", socket);
    } else {
      this.#http1.emit("connection", socket);
    }
  }

  #makeHttp1(): Http1Server {
    const { headBytes, headMs, idleMs } = this.#bounds;
    const server = createHttp1({
      maxHeaderSize: headBytes,
      headersTimeout: headMs,
      requestTimeout: 0,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.min(1000, headMs),
    });
    server.timeout = idleMs;
    const handle = (request: IncomingMessage, response: ServerResponse, mayGoOn?: () => void) => {
      const connection = this.#connections.get(keyOf(request.socket));
      if (connection === undefined || !this.#mayAsk(connection)) {
        request.socket.destroy();
        return;
      }
      response.once("close", () => this.#isClosing && setImmediate(() => this.#http1.closeIdleConnections()));
      void this.#dispatch.handle(request, response, {
        passed: () => this.#unknown.know(connection),
        refused: () => this.#unknown.refuse(connection, this.#bounds.refusedMs),
        ...(mayGoOn === undefined ? {} : { mayGoOn }),
      });
    };
    server.on("request", handle);
    server.on("checkContinue", (request, response) => handle(request, response, () => response.writeContinue()));
    return server;
  }

  /** Whether the connection may send one more request: it has a token, or was not refused and is within its bounds. */
  #mayAsk(connection: Connection): boolean {
    if (connection.isKnown) return true;
    if (connection.isRefused) return false;
    if (++connection.requests <= this.#bounds.unknownRequests) return true;
    this.#unknown.refuse(connection, 0);
    return false;
  }

  #makeHttp2(): Http2Server {
    const server = createHttp2({
      maxSessionInvalidFrames: 10,
      maxSessionRejectedStreams: 10,
      settings: {
        maxHeaderListSize: this.#bounds.headBytes,
        maxConcurrentStreams: this.#bounds.unknownStreams,
        enablePush: false,
      },
    });
    const handle = (request: Http2ServerRequest, response: Http2ServerResponse, mayGoOn?: () => void) => {
      // Node enforces the setting only once the other side has agreed to it.
      if (headBytesOf(request) > this.#bounds.headBytes) {
        request.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      }
      const session = request.stream.session as ServerHttp2Session | undefined;
      const connection = session && this.#sessions.get(session);
      if (session === undefined || connection === undefined || !this.#mayAsk(connection)) {
        request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
        return;
      }
      void this.#dispatch.handle(request, response, {
        passed: () => {
          if (connection.isKnown) return;
          this.#unknown.know(connection);
          if (!session.destroyed) session.settings({ maxConcurrentStreams: this.#bounds.streams });
        },
        refused: () => {
          if (connection.isKnown) return;
          this.#unknown.refuse(connection, this.#bounds.refusedMs);
          // Ends after the answer if that can be sent. A client that reads nothing is not waited for.
          response.stream.once("close", () => session.destroy());
        },
        ...(mayGoOn === undefined ? {} : { mayGoOn }),
      });
    };
    server.on("request", handle);
    server.on("checkContinue", (request, response) => handle(request, response, () => response.writeContinue()));
    server.on("sessionError", () => {}); // the session ends by itself
    return server;
  }

  #keep(session: ServerHttp2Session, connection: Connection): void {
    this.#sessions.set(session, connection);
    pingEvery(this.#bounds.pingMs, session);
    session.once("close", () => this.#sessions.delete(session));
  }
}

function headBytesOf({ rawHeaders }: Http2ServerRequest): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/**
 * A connection's two ends as a key: they are the same for all objects that stand for it (raw socket, TLS socket,
 * session).
 */
function keyOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function closedReason(): MillraceError {
  return new MillraceError("cancelled", "this process is ending");
}

function whyNot(code: string | undefined): string {
  switch (code) {
    case "EADDRINUSE":
      return "another process listens there already; choose another port";
    case "EACCES":
      return "this user may not (ports below 1024 need rights)";
    case "EADDRNOTAVAIL":
      return "that is no address of this machine";
    case "ENOTFOUND":
      return "there is no machine of that name";
    default:
      return code ?? "it failed";
  }
}
