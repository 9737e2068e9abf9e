// The drain of a worker: nothing new is taken, what runs is finished, or handed back when the grace is over, and map
// outputs are served until the jobs that need them are over, or the limit is.
import type { Clock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import type { Agent } from "../agent/agent.ts";
import type { FileRunStore } from "../disk/file-run-store.ts";

export interface DrainParts {
  readonly agent: Agent;
  readonly runs: FileRunStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the node is closed, which ends every wait. */
  readonly closed: AbortSignal;
  /** Time for what runs. */
  readonly graceMs: number;
  /** Time for map outputs that others still need. */
  readonly limitMs: number;
}

/** Returns whether the worker was released: no job needs anything that is kept here. */
export async function drain({ agent, runs, clock, log, closed, graceMs, limitMs }: DrainParts): Promise<boolean> {
  const within = (promise: Promise<void>, ms: number) => isInTime(promise, ms, clock, closed);
  log.info({ running: agent.status().running }, "draining: nothing new is taken");
  const drained = agent.drain();
  if (!(await within(drained, graceMs))) {
    log.warn({ running: agent.status().running }, "what still runs is handed back");
    agent.handBack();
    await within(drained, agent.status().leaseMs);
  }
  const { memory, disk } = runs.held();
  if (memory + disk > 0) {
    log.info({ jobs: runs.jobs().length, bytes: memory + disk }, "map outputs are served until their jobs are over");
  }
  const isReleased = await within(agent.released(), limitMs);
  if (!isReleased && !closed.aborted) {
    log.warn({ jobs: runs.jobs() }, "map outputs are still needed, and will be made again elsewhere");
  }
  return isReleased;
}

/** Waits for a promise. False: the time was over first, or the node was closed. */
async function isInTime(promise: Promise<void>, ms: number, clock: Clock, closed: AbortSignal): Promise<boolean> {
  const timer = new AbortController();
  const stop = () => timer.abort();
  closed.addEventListener("abort", stop, { once: true });
  if (closed.aborted) stop();
  try {
    const over = clock.sleep(ms, timer.signal).then(() => false);
    return await Promise.race([promise.then(() => true), over]);
  } finally {
    closed.removeEventListener("abort", stop);
    timer.abort();
  }
}
