import type { Clock } from "../../src/base/system/clock.ts";

/** Time stands still until `pass` is called; a sleeper wakes when its time has come. */
export class FakeClock implements Clock {
  #now = 0;
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(this.#now);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#sleepers.push({ at: this.#now + ms, wake });
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /**
   * Time that passes unnoticed, as while a process is stopped: sleepers that should have woken do so with the next
   * `pass`.
   */
  jump(ms: number): void {
    this.#now += ms;
  }

  /** All sleeps that end within `ms` end, one after the other, each with what follows from it. */
  async pass(ms: number): Promise<void> {
    await settled();
    const end = this.#now + ms;
    for (;;) {
      const next = this.#sleepers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settled();
    }
    this.#now = end;
    await settled();
  }
}

/** Lets everything happen that can happen without time passing. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => setImmediate(resolve));
}
