// Messages between processes: lost, repeated, late, in another order, or cut off one way or both. A call is a request
// and a reply, each of which has its own fate; a caller gives up after a while and does not know what became of it.
import { MillraceError } from "../base/error.ts";
import type { Chance } from "./chance.ts";
import type { Process } from "./process.ts";
import type { Planned, Timeline } from "./timeline.ts";

/** Answers requests at an address. */
export interface Endpoint {
  readonly process: Process;
  serve(request: Request): Promise<unknown>;
}

export interface Request {
  readonly kind: string;
  readonly body: unknown;
  readonly from: string;
}

/** Kinds of faults (faults.ts) that come with messages. */
type MessageFault = "lose-messages" | "slow-messages" | "late-messages" | "repeat-messages";

/** Whether that comes now; counts it. */
type Comes = (kind: MessageFault, chance: Chance, where: () => string) => boolean;

export interface CallOptions {
  readonly timeoutMs: number;
  /** A connection of its own that is kept in order and never repeats: to the store, to storage. */
  readonly isSteady?: boolean;
}

export class Network {
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  /** How late is late. */
  readonly #leaseMs: number;
  readonly #comes: Comes;
  readonly #endpoints = new Map<string, Endpoint>();
  /** "a>b": nothing gets from a to b. */
  readonly #cuts = new Set<string>();
  /** Messages under way. */
  inFlight = 0;

  constructor(timeline: Timeline, chance: Chance, leaseMs: number, comes: Comes) {
    this.#timeline = timeline;
    this.#chance = chance;
    this.#leaseMs = leaseMs;
    this.#comes = comes;
  }

  answerAt(address: string, endpoint: Endpoint): void {
    this.#endpoints.set(address, endpoint);
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  mend(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  /** Rejects with `unreachable` when no one answers in time, and with what the other end rejected with. */
  call(from: Process, address: string, kind: string, body: unknown, options: CallOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const over = (then: () => void) => {
        if (isOver) return;
        isOver = true;
        timer.run = undefined;
        then();
      };
      const timer: Planned = from.after(options.timeoutMs, () => over(() => reject(unreachable(address))));
      const endpoint = this.#endpoints.get(address);
      const to = endpoint?.process.host ?? address.split(":")[0]!;
      const reply = (then: () => void) => this.#send(to, from.host, options, () => from.receive(() => over(then)));
      this.#send(from.host, to, options, () => {
        const there = this.#endpoints.get(address);
        if (there === undefined || there.process.isDead) return reply(() => reject(unreachable(address)));
        there.process.receive(() => {
          const { process } = there;
          there.serve({ kind, body, from: from.host }).then(
            (answer) => process.isRunning && reply(() => resolve(answer)),
            (error: unknown) => process.isRunning && reply(() => reject(error)),
          );
        });
      });
    });
  }

  #send(from: string, to: string, { isSteady }: CallOptions, deliver: () => void): void {
    const chance = this.#chance;
    const leaseMs = this.#leaseMs;
    const where = () => `${from} to ${to}`;
    const comes = (kind: MessageFault) => isSteady !== true && this.#comes(kind, chance, where);
    if (comes("lose-messages")) return;
    let ms = chance.between(0.5, 5);
    if (comes("slow-messages")) ms += chance.between(0, leaseMs / 4);
    if (comes("late-messages")) ms += chance.between(leaseMs, leaseMs * 12);
    this.#deliver(from, to, ms, deliver);
    if (comes("repeat-messages")) this.#deliver(from, to, ms + chance.between(0, leaseMs), deliver);
  }

  /** What is cut off when it leaves or when it would arrive is lost. */
  #deliver(from: string, to: string, ms: number, deliver: () => void): void {
    if (this.isCut(from, to)) return;
    this.inFlight++;
    this.#timeline.after(ms, () => {
      this.inFlight--;
      if (!this.isCut(from, to)) deliver();
    });
  }
}

function unreachable(address: string): MillraceError {
  return new MillraceError("unreachable", `${address} does not answer`, { retry: "elsewhere" });
}
