// Finds out what the job's code has left going in a process that goes on itself: a test, a debugger, a command.
// `beforeExit`, by which a slot knows that nothing goes on (slot/user-work.ts), can't come there. So what Node shows is
// compared with what was there before, and what threads compute for it, which Node does not show (zlib, crypto), is
// counted. Compiling WebAssembly is not seen.
import { createHook } from "node:async_hooks";
import { limits } from "../../base/limits.ts";
import type { LateCalls } from "./late-calls.ts";

/** After this many turns nothing that is due is left: promises, `setImmediate`, the next tick, timers of no time. */
const turnsMin = 4;

/** Not the replacement that `millrace sim` and `millrace test` give the job's code. */
const now = performance.now.bind(performance);

/** A thread computes for zlib while the handle has a buffer. */
interface Computing {
  readonly buffer?: unknown;
}

export class LeftGoing {
  readonly #before = countsOf(process.getActiveResourcesInfo());
  readonly #computing = new Map<number, Computing>();
  /** By their numbers, because an earlier one that has ended would hide one that has come since. */
  readonly #timers = new Map<number, NodeJS.Timeout>();
  #isOwnTimer = false;
  readonly #watch = createHook({
    init: (id, type, _, resource) => {
      if (type === "Timeout" && !this.#isOwnTimer) this.#timers.set(id, resource as NodeJS.Timeout);
      if (type === "ZLIB" || type.endsWith("REQUEST")) this.#computing.set(id, resource);
    },
    after: (id) => {
      const work = this.#computing.get(id);
      if (work !== undefined && !(work.buffer instanceof Uint8Array)) this.#computing.delete(id);
    },
    destroy: (id) => {
      this.#computing.delete(id);
      this.#timers.delete(id);
    },
  });

  constructor() {
    this.#watch.enable();
  }

  /** Resolves when everything is over, when a late call has been noted, or after `limits.settleMs`. */
  async over(late: LateCalls): Promise<void> {
    const begun = now();
    for (let turn = 0; late.first === undefined; turn++) {
      if (turn >= turnsMin && (!this.#isAnyLeft() || now() - begun > limits.settleMs)) return;
      await new Promise((resolve) => (turn < turnsMin ? setImmediate(resolve) : this.#wait(resolve)));
    }
  }

  end(): void {
    this.#watch.disable();
  }

  #wait(resolve: (value: unknown) => void): void {
    this.#isOwnTimer = true;
    setTimeout(resolve, limits.settleTurnMs);
    this.#isOwnTimer = false;
  }

  /** What other code in this process started meanwhile is waited for too, but no longer. */
  #isAnyLeft(): boolean {
    if (this.#computing.size > 0) return true;
    for (const timer of this.#timers.values()) if (timer.hasRef()) return true;
    for (const [kind, count] of countsOf(process.getActiveResourcesInfo())) {
      if (kind === "Timeout") continue;
      if (count > (this.#before.get(kind) ?? 0)) return true;
    }
    return false;
  }
}

function countsOf(kinds: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
