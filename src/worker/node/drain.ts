// The drain of a worker: nothing new is taken, what runs is finished, or handed back when there is no more time for it,
// and map outputs are served until others hold what is needed, or the limit is. All of it has to be over in the time
// that the worker was given, if it was given one.
import { type Deferred, deferred } from "../../base/deferred.ts";
import type { Instant } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import { formatDuration } from "../../base/units.ts";
import type { Agent } from "../agent/agent.ts";
import type { FileRunStore } from "../disk/file-run-store.ts";

/** What is left of the time that a worker was given when what still runs is handed back: for the last outputs. */
const handOverShare = 1 / 4;
const handOverMsMax = 10_000;

export interface DrainParts {
  readonly agent: Agent;
  readonly runs: FileRunStore;
  readonly log: Log;
  readonly times: DrainTimes;
}

/** When things end in a drain. They may come sooner while it goes on. */
export class DrainTimes {
  readonly #clock: Clock;
  /** Aborted when the node is closed, which ends every wait. */
  readonly #closed: AbortSignal;
  #handBackAt: Instant;
  #leaveAt: Instant;
  #sooner: Deferred<void> = deferred();

  /** `graceMs`: for what runs; `limitMs`: for map outputs that others still need, behind that. */
  constructor(clock: Clock, closed: AbortSignal, graceMs: number, limitMs: number) {
    this.#clock = clock;
    this.#closed = closed;
    this.#handBackAt = clock.now() + graceMs;
    this.#leaveAt = this.#handBackAt + limitMs;
  }

  get isClosed(): boolean {
    return this.#closed.aborted;
  }

  /** The worker has to be gone by then. */
  leaveWithin(ms: number): void {
    const now = this.#clock.now();
    if (now + ms >= this.#leaveAt) return;
    this.#leaveAt = now + ms;
    this.#handBackAt = this.#leaveAt - Math.min(handOverMsMax, ms * handOverShare);
    const sooner = this.#sooner;
    this.#sooner = deferred();
    sooner.resolve();
  }

  /** Waits for a promise. False: the time was over first, or the node was closed. */
  untilHandBack(promise: Promise<void>): Promise<boolean> {
    return this.#isInTime(promise, () => this.#handBackAt);
  }

  untilLeaving(promise: Promise<void>, msMax = Number.POSITIVE_INFINITY): Promise<boolean> {
    const at = this.#clock.now() + msMax;
    return this.#isInTime(promise, () => Math.min(at, this.#leaveAt));
  }

  async #isInTime(promise: Promise<void>, at: () => Instant): Promise<boolean> {
    const timer = new AbortController();
    const stop = () => timer.abort();
    this.#closed.addEventListener("abort", stop, { once: true });
    if (this.#closed.aborted) stop();
    const done = promise.then(() => true);
    try {
      for (;;) {
        const leftMs = at() - this.#clock.now();
        const over = this.#clock.sleep(Math.max(0, leftMs), timer.signal).then(() => false);
        const first = await Promise.race([done, over, this.#sooner.promise]);
        if (first !== undefined) return first;
      }
    } finally {
      this.#closed.removeEventListener("abort", stop);
      timer.abort();
    }
  }
}

/** Returns whether the worker was released: no job needs anything that is kept here. */
export async function drain({ agent, runs, log, times }: DrainParts, withinMs: number | undefined): Promise<boolean> {
  const inTime = withinMs === undefined ? "" : `, and gone in ${formatDuration(withinMs)}`;
  log.info({ running: agent.status().running }, `draining: nothing new is taken${inTime}`);
  const drained = agent.drain(withinMs);
  if (!(await times.untilHandBack(drained))) {
    log.warn({ running: agent.status().running }, "what still runs is handed back");
    agent.handBack();
    await times.untilLeaving(drained, agent.status().leaseMs);
  }
  const { memory, disk } = runs.held();
  if (memory + disk > 0) {
    log.info(
      { jobs: runs.jobs().length, bytes: memory + disk },
      "map outputs are served until others hold what is needed",
    );
  }
  const isReleased = await times.untilLeaving(agent.released());
  if (!isReleased && !times.isClosed) {
    log.warn({ jobs: runs.jobs() }, "map outputs are still needed, and will be made again elsewhere");
  }
  return isReleased;
}
