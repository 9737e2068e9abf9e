// What went wrong in a simulated cluster, and what came of it: counted, and line by line.
import type { Trace } from "./trace.ts";

export interface SimEvent {
  /** Milliseconds of virtual time. */
  readonly at: number;
  readonly what: string;
  /** Something was made to go wrong; otherwise it is what came of it. */
  readonly isFault: boolean;
}

export type SimListener = (event: SimEvent) => void;

export class FaultLog {
  /** By kind. */
  readonly faults: Record<string, number> = Object.create(null);
  /** Of leadership, without the first. */
  masterChanges = 0;
  readonly #trace: Trace;
  readonly #now: () => number;
  readonly #onEvent: SimListener | undefined;

  /** `now`: milliseconds since the beginning. */
  constructor(trace: Trace, now: () => number, onEvent: SimListener | undefined) {
    this.#trace = trace;
    this.#now = now;
    this.#onEvent = onEvent;
  }

  fault(kind: string, where: string): void {
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    this.#happened(`${kind}${where === "" ? "" : `: ${where}`}`, true);
  }

  note(what: string): void {
    this.#happened(what, false);
  }

  /** Of the store (state-server.ts). */
  saw(what: string): void {
    this.note(what);
  }

  #happened(what: string, isFault: boolean): void {
    const at = this.#now();
    this.#trace.note(at, isFault ? `FAULT ${what}` : what);
    this.#onEvent?.({ at, what, isFault });
  }
}
