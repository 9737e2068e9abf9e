// One HTTP/2 connection to one address, made when it is first needed, and again after it was lost. (The session manager
// of connect-node removes its error listener before the last error has come, which ends the process. This was seen with
// a port that speaks HTTP/1.1.)
//
//   none ─► connecting ─► open ─► (error, closed, GOAWAY, ping unanswered) ─► none
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";

export interface SessionOptions {
  /** The address, such as "https://m1:7070". */
  readonly authority: string;
  readonly tls: ClientSessionOptions | SecureClientSessionOptions;
  /** Interval of pings. A ping that is not answered until the next one is due ends the connection (fault 49). */
  readonly pingMs: number;
}

export class Session {
  readonly authority: string;
  readonly #options: SessionOptions;
  /** Interval of pings. A change takes effect from the next ping on. */
  pingMs: number;
  #current: { readonly session: ClientHttp2Session; readonly isOpen: Promise<void> } | undefined;

  constructor(options: SessionOptions) {
    this.authority = options.authority;
    this.#options = options;
    this.pingMs = options.pingMs;
  }

  /** Opens a stream. Rejects with the connection's error when no connection can be made. */
  async request(method: string, path: string, headers: OutgoingHttpHeaders): Promise<ClientHttp2Stream> {
    this.#current ??= this.#connect();
    const { session, isOpen } = this.#current;
    await isOpen;
    return session.request({ ...headers, ":method": method, ":path": path });
  }

  /** Demanded by connect-node's interface; pings here don't need it. */
  notifyResponseByteRead(): void {}

  /**
   * Ends the connection, and cancels everything on it. The next request makes a new connection. May be called again.
   */
  abort(): void {
    const session = this.#current?.session;
    this.#current = undefined;
    session?.destroy(undefined, constants.NGHTTP2_CANCEL);
  }

  #connect() {
    const session = connect(this.authority, this.#options.tls);
    const leave = () => {
      if (this.#current?.session === session) this.#current = undefined;
    };
    const isOpen = new Promise<void>((resolve, reject) => {
      session.once("connect", () => resolve());
      // This listener is never removed, as a second error may follow the first.
      session.on("error", (error) => {
        leave();
        reject(error);
      });
      session.once("close", () => {
        leave();
        reject(lost("the connection was closed before it was open", "ECONNRESET"));
      });
    });
    isOpen.catch(() => {}); // each request that awaits it rejects
    session.once("goaway", leave); // requests under way are still answered; new ones need a new connection
    this.#keepAlive(session);
    return { session, isOpen };
  }

  #keepAlive(session: ClientHttp2Session): void {
    let isWaiting = false;
    let timer: NodeJS.Timeout;
    const later = () => {
      timer = setTimeout(tick, this.pingMs).unref();
    };
    const tick = () => {
      // A destroyed session will only emit "close", and a ping would throw.
      if (session.destroyed) return;
      later();
      if (session.connecting) return; // calls have deadlines of their own
      if (isWaiting) {
        // After this process stood still, an answer waits to be read. It is read before immediates are called.
        setImmediate(() => isWaiting && session.destroy(lost("a ping was not answered", "ETIMEDOUT")));
        return;
      }
      isWaiting = true;
      const isSent = session.ping((error: Error | null) => {
        if (error === null) isWaiting = false;
      });
      if (!isSent) session.destroy(lost("no ping can be sent", "ETIMEDOUT"));
    };
    later();
    session.once("close", () => clearTimeout(timer));
  }
}

function lost(message: string, code: "ECONNRESET" | "ETIMEDOUT"): Error {
  return Object.assign(new Error(message), { code });
}
