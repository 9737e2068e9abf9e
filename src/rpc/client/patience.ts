// Decides how often and for how long a call is repeated that no master has answered.
import { MillraceError } from "../../base/error.ts";
import type { Clock } from "../../base/system/clock.ts";
import { backOffMs } from "./back-off.ts";
import { describeFailure, isTransient } from "./reach.ts";

export interface PatienceOptions {
  /** The master's address, such as "https://m1:7070", or those of all masters with commas between. */
  readonly address: string;
  readonly clock: Clock;
  /** Returns 0 <= x < 1, for jitter. */
  readonly random: () => number;
  /** How long a master may not answer before a call gives up: `first` if it has never answered, `later` if it has. */
  readonly patienceMs?: { readonly first?: number; readonly later?: number };
  /** Called before each pause, after which the call is repeated. */
  readonly onRepeat?: (failure: Error) => void;
}

/** A user wants to know soon that an address is wrong, but with a job there waits for a master's restart. */
const defaultPatience = { first: 10_000, later: 120_000 };

/** Waits between tries of one call, and decides when to stop. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #heardAt: () => number | undefined;
  #failures = 0;
  #failingSince: number | undefined;

  constructor(options: PatienceOptions, heardAt: () => number | undefined) {
    this.#options = options;
    this.#heardAt = heardAt;
  }

  restart(): void {
    this.#failures = 0;
    this.#failingSince = undefined;
  }

  /**
   * Called after each failed try. Resolves when the call should be repeated, at once where `mayBeElsewhere` says that
   * another master has not been asked yet; rejects with `failure` where that can't help.
   */
  async after(
    error: unknown,
    failure: Error,
    live: AbortSignal,
    mayBeElsewhere: () => boolean = () => false,
  ): Promise<void> {
    if (live.aborted || !isTransient(error)) throw failure;
    if (mayBeElsewhere()) return;
    const { clock, random, patienceMs, address, onRepeat } = this.#options;
    const now = clock.now();
    this.#failingSince ??= now;
    this.#failures++;
    const heardAt = this.#heardAt();
    const sinceMs = now - this.#failingSince;
    const mostMs =
      heardAt === undefined
        ? (patienceMs?.first ?? defaultPatience.first)
        : (patienceMs?.later ?? defaultPatience.later);
    const pauseMs = backOffMs(this.#failures, random);
    if (sinceMs + pauseMs > mostMs)
      throw describeFailure(error, { address, sinceMs, hasAnswered: heardAt !== undefined });
    onRepeat?.(asWaiting(failure));
    await clock.sleep(pauseMs, live);
    if (live.aborted) throw failure;
  }
}

/** A master that answers and does not lead is there: the wait is for one that does. */
function asWaiting(failure: Error): Error {
  if (!(failure instanceof MillraceError) || failure.code !== "not-leader") return failure;
  return new MillraceError("not-leader", `waiting for a master: ${failure.message}`, { retry: "same", cause: failure });
}
