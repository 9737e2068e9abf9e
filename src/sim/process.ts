// A simulated process: it runs, is stopped for a while (SIGSTOP), or is dead. What comes for a stopped process waits;
// what comes for a dead one is gone. Its clock has its own zero and its own rate, as machines have.
import type { Clock } from "../base/system/clock.ts";
import type { Planned, Timeline, Work } from "./timeline.ts";

export class Process {
  /** Processes of one host share links and fates of links. */
  readonly host: string;
  readonly clock: Clock;
  readonly #timeline: Timeline;
  #state: "running" | "stopped" | "dead" = "running";
  readonly #waiting: Work[] = [];

  constructor(timeline: Timeline, host: string, random: () => number, timerMs: number) {
    this.host = host;
    this.#timeline = timeline;
    const zero = Math.floor(random() * 1e6);
    const rate = 0.99 + random() * 0.02;
    this.clock = {
      now: () => zero + timeline.now * rate,
      date: () => new Date(timeline.now),
      sleep: (ms, signal) => this.#sleep(Math.max(ms / rate, timerMs), signal),
    };
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** Runs in this process after that time, if it lives and is not stopped then; when it is stopped, once it goes on. */
  after(ms: number, run: Work): Planned {
    return this.#timeline.after(ms, () => this.receive(run));
  }

  /** Something reaches this process now. */
  receive(run: Work): void | Promise<void> {
    if (this.#state === "running") return run();
    if (this.#state === "stopped") this.#waiting.push(run);
  }

  crash(): void {
    this.#state = "dead";
    this.#waiting.length = 0;
  }

  stop(): void {
    if (this.#state === "running") this.#state = "stopped";
  }

  goOn(): void {
    if (this.#state !== "stopped") return;
    this.#state = "running";
    for (const run of this.#waiting.splice(0)) this.after(0, run);
  }

  /** Timers are as coarse as the world says: fewer events, and late wake-ups are a fault of their own. */
  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        planned.run = undefined;
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const planned = this.after(ms, done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }
}
