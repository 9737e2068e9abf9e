// A TCP proxy on loopback that does to connections what networks do (faults 49–58): refuse, reset, cut, drip, stall,
// swallow. The fault is a property of the proxy, changed at any time; it holds for connections that are open already.
//
//   const proxy = await faultProxy({ port: server.port });
//   connect to proxy.port … proxy.fault = { kind: "black-hole" } … await proxy.close()
import { createConnection, createServer, type Server, type Socket } from "node:net";

/** "down" is from the server to the client, "up" the other way. */
type Direction = "up" | "down";

export type Fault =
  | { readonly kind: "none" }
  /** New connections are reset at once; open ones go on. */
  | { readonly kind: "refuse" }
  /** Each connection is reset after this many bytes in that direction (counted from when the fault was set). */
  | { readonly kind: "reset"; readonly afterBytes: number; readonly direction?: Direction }
  /** Likewise, but ended in good order: a short body. */
  | { readonly kind: "cut"; readonly afterBytes: number; readonly direction?: Direction }
  /** This many bytes at a time, with a pause after each. */
  | { readonly kind: "drip"; readonly bytes: number; readonly everyMs: number; readonly direction?: Direction }
  /** Bytes come through late. */
  | { readonly kind: "delay"; readonly ms: number }
  /** The client's end of its sending side never arrives, and neither does the server's. */
  | { readonly kind: "half-close" }
  /** Connections are accepted and stay; nothing comes through until the fault is taken away, then everything does. */
  | { readonly kind: "black-hole"; readonly direction?: Direction }
  /** One bit of the byte at this offset is flipped. */
  | { readonly kind: "flip"; readonly atByte: number; readonly direction?: Direction };

export interface FaultProxy {
  readonly port: number;
  fault: Fault;
  /** Connections accepted so far, and open now. */
  readonly accepted: number;
  readonly open: number;
  /** Resets all connections that are open. */
  resetAll(): void;
  close(): Promise<void>;
}

/** `at`: where it listens. Default: any port of 127.0.0.1. */
export async function faultProxy(
  target: { readonly port: number; readonly host?: string },
  at: { readonly port?: number; readonly host?: string } = {},
): Promise<FaultProxy> {
  const proxy = new TcpProxy(target);
  await proxy.listen(at.port ?? 0, at.host ?? "127.0.0.1");
  return proxy;
}

class TcpProxy implements FaultProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #fault: Fault = { kind: "none" };
  accepted = 0;

  constructor(target: { readonly port: number; readonly host?: string }) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      this.accepted++;
      client.on("error", () => {});
      if (this.#fault.kind === "refuse") {
        reset(client);
        return;
      }
      const server = createConnection({ port: target.port, host: target.host ?? "127.0.0.1", allowHalfOpen: true });
      const link = new Link(client, server, this.#fault);
      this.#links.add(link);
      client.once("close", () => this.#links.delete(link));
    });
  }

  listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    });
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("the proxy is closed");
    return address.port;
  }

  get fault(): Fault {
    return this.#fault;
  }

  set fault(fault: Fault) {
    this.#fault = fault;
    for (const link of this.#links) link.set(fault);
  }

  get open(): number {
    return this.#links.size;
  }

  resetAll(): void {
    for (const link of this.#links) link.reset();
  }

  close(): Promise<void> {
    this.resetAll();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** `resetAndDestroy` ends the sending side in good order first, so who reads sees an end and no reset. */
function reset(socket: Socket): void {
  const { _handle } = socket as Socket & { _handle?: { reset(done: () => void): number } | null };
  _handle?.reset(() => {});
  socket.destroy();
}

/** Both directions of one connection. */
class Link {
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #sockets: readonly Socket[];

  constructor(client: Socket, server: Socket, fault: Fault) {
    this.#sockets = [client, server];
    const resetBoth = () => this.reset();
    server.on("error", resetBoth);
    client.on("error", resetBoth);
    this.#up = new Pipe("up", client, server, resetBoth);
    this.#down = new Pipe("down", server, client, resetBoth);
    this.set(fault);
  }

  set(fault: Fault): void {
    this.#up.set(fault);
    this.#down.set(fault);
  }

  reset(): void {
    for (const socket of this.#sockets) reset(socket);
    this.#up.stop();
    this.#down.stop();
  }
}

/** One direction: reads only when what was read before has been written, so a stalled reader stalls the writer. */
class Pipe {
  readonly #direction: Direction;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #reset: () => void;
  #fault: Fault = { kind: "none" };
  #passed = 0;
  #held: Buffer[] = [];
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(direction: Direction, from: Socket, to: Socket, reset: () => void) {
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    this.#reset = reset;
    from.on("data", (bytes) => {
      from.pause();
      this.#held.push(Buffer.from(bytes));
      this.#move();
    });
    from.once("end", () => {
      this.#ended = true;
      this.#move();
    });
  }

  set(fault: Fault): void {
    const concerns = !("direction" in fault) || fault.direction === undefined || fault.direction === this.#direction;
    this.#fault = concerns ? fault : { kind: "none" };
    this.#passed = 0;
    this.stop();
    this.#move();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #later(ms: number, then: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      then();
    }, ms);
  }

  /** Lets through what is held, as the fault has it. */
  #move(): void {
    if (this.#timer !== undefined || this.#to.destroyed) return;
    const fault = this.#fault;
    if (fault.kind === "black-hole") return;
    const bytes = Buffer.concat(this.#held.splice(0));
    if (bytes.length === 0) {
      this.#rest();
      return;
    }
    switch (fault.kind) {
      case "delay":
        this.#later(fault.ms, () => this.#pass(bytes));
        break;
      case "reset":
      case "cut": {
        const left = fault.afterBytes - this.#passed;
        if (bytes.length < left) this.#pass(bytes);
        else this.#to.write(bytes.subarray(0, left), () => this.#over(fault.kind));
        break;
      }
      case "drip": {
        if (bytes.length > fault.bytes) this.#held.push(bytes.subarray(fault.bytes));
        this.#to.write(bytes.subarray(0, fault.bytes));
        this.#later(fault.everyMs, () => this.#move());
        break;
      }
      case "flip": {
        const at = fault.atByte - this.#passed;
        if (at >= 0 && at < bytes.length) bytes[at]! ^= 1;
        this.#pass(bytes);
        break;
      }
      default:
        this.#pass(bytes);
    }
  }

  #over(how: "reset" | "cut"): void {
    if (how === "cut") this.#to.end();
    // A reset right behind data looks like a good end to Node (libuv takes a hang-up after a short read for one).
    else setTimeout(this.#reset, 5);
  }

  #pass(bytes: Buffer): void {
    this.#passed += bytes.length;
    if (this.#to.write(bytes)) this.#move();
    else this.#to.once("drain", () => this.#move());
  }

  /** Nothing is held: reads on, or passes the end on. */
  #rest(): void {
    if (!this.#ended) this.#from.resume();
    else if (this.#fault.kind !== "half-close") this.#to.end();
  }
}
