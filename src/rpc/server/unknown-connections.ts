// Connections that have not shown a token yet: how many there may be, and for how long (S21). When there are too many, the oldest
// makes room for the newest, so that who only holds connections open keeps nobody out.
import type { Socket } from "node:net";

export interface UnknownBounds {
  /** In all, and from one address. */
  readonly unknownConnections: number;
  readonly unknownPerAddress: number;
}

/** One accepted connection, whatever is spoken on it. */
export class Connection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  /** Ends it if it shows no token in time. */
  deadline: NodeJS.Timeout | undefined;
  /** It has shown one. */
  isKnown = false;
  /** A request of it was refused: it is being ended. */
  isRefused = false;
  /** Without a token, health checks for example. */
  requests = 0;

  constructor(socket: Socket, remoteAddress: string) {
    this.socket = socket;
    this.remoteAddress = remoteAddress;
  }
}

/** Connections that have not shown a token yet, the oldest first. */
export class Unknown {
  readonly #all = new Set<Connection>();
  readonly #byAddress = new Map<string, Set<Connection>>();

  add(connection: Connection, ms: number): void {
    this.#all.add(connection);
    const same = this.#byAddress.get(connection.remoteAddress) ?? new Set();
    same.add(connection);
    this.#byAddress.set(connection.remoteAddress, same);
    connection.deadline = setTimeout(() => connection.socket.destroy(), ms).unref();
  }

  /** It has shown a token. */
  know(connection: Connection): void {
    connection.isKnown = true;
    this.remove(connection);
  }

  /** A request of it was refused: it has so long to read the answer. */
  refuse(connection: Connection, ms: number): void {
    if (connection.isKnown || connection.isRefused) return;
    connection.isRefused = true;
    clearTimeout(connection.deadline);
    connection.deadline = setTimeout(() => connection.socket.destroy(), ms).unref();
  }

  remove(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    clearTimeout(connection.deadline);
    const same = this.#byAddress.get(connection.remoteAddress);
    same?.delete(connection);
    if (same?.size === 0) this.#byAddress.delete(connection.remoteAddress);
  }

  /** Those that have to make room for a connection just added. */
  *surplus(added: Connection, { unknownConnections, unknownPerAddress }: UnknownBounds): Generator<Connection> {
    const same = this.#byAddress.get(added.remoteAddress);
    if (same !== undefined && same.size > unknownPerAddress) yield* first(same);
    else if (this.#all.size > unknownConnections) yield* first(this.#all);
  }
}

function* first<T>(set: ReadonlySet<T>): Generator<T> {
  for (const item of set) {
    yield item;
    return;
  }
}
