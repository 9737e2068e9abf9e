// The pause of a worker whose attempts fail for reasons of its machine: it takes nothing new for a while, so that a
// full disk does not use up a job's tries before another worker has a turn.
import type { Clock } from "../../base/system/clock.ts";
import type { AttemptResult } from "../../protocol/messages.ts";
import type { AgentOptions } from "./options.ts";

export interface CoolDownOptions {
  readonly clock: Clock;
  /** The length of a pause after that number of such failures in a row. Undefined: there is none. */
  readonly ms: AgentOptions["coolDownMs"];
  /** Ends the pause early, as the worker closes. */
  readonly signal: AbortSignal;
  /** Called when a pause is over. */
  readonly over: () => void;
}

export class CoolDown {
  readonly #options: CoolDownOptions;
  #failuresInRow = 0;
  #isOn = false;

  constructor(options: CoolDownOptions) {
    this.#options = options;
  }

  /** Whether nothing new is taken now. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Called with each result that counts. */
  ended(result: AttemptResult): void {
    const isOurs = !result.ok && result.reason.kind === "infrastructure";
    this.#failuresInRow = isOurs ? this.#failuresInRow + 1 : 0;
    const { clock, ms, signal, over } = this.#options;
    if (!isOurs || ms === undefined || this.#isOn) return;
    this.#isOn = true;
    void clock.sleep(ms(this.#failuresInRow), signal).then(() => {
      this.#isOn = false;
      over();
    });
  }
}
