// Connections that have not shown a token yet: how many there may be, and for how long (S21). When there are too many,
// the oldest makes room for the newest, so that holding connections open keeps no one out.
import type { Socket } from "node:net";

export interface UnknownBounds {
  /** How many there may be in all, and from one address. */
  readonly unknownConnections: number;
  readonly unknownPerAddress: number;
}

/** One accepted connection, of any protocol. */
export class Connection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  /** The timer that ends the connection if it shows no token in time. */
  deadline: NodeJS.Timeout | undefined;
  /** True once the connection has shown a token. */
  isKnown = false;
  /** True once a request was refused: the connection is being ended. */
  isRefused = false;
  /** Requests without a token so far, such as health checks. */
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

  /** Called when the connection has shown a token. */
  know(connection: Connection): void {
    connection.isKnown = true;
    this.remove(connection);
  }

  /** Called when a request was refused. The connection has `ms` to read the answer. */
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

  /** The connections that have to make room for the one just added. */
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
