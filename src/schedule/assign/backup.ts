// Backup attempts (MapReduce, OSDI'04, section 3.6): when slots are free and nothing waits, a task that is much slower
// than its phase's median gets a second attempt on another worker. The first attempt that succeeds wins, as always, and
// the other one is stopped.
import { limits } from "../../base/limits.ts";
import { hasRoom, isBarrierOpen } from "../state/job.ts";
import { isFit } from "../state/standing.ts";
import type { Attempt, Cluster, Task, Worker } from "../state/state.ts";

import { capacity } from "../state/worker.ts";
import { isStuckAhead, takeBack } from "./ahead.ts";
import { start } from "./assign.ts";

/** The median (`limits.ratesKept`) is that of at least this many winners. */
const ratesMin = 3;
/** Looks at running attempts per lease; reports don't come more often. */
const looksPerLease = 10;

/** Notes a winner's rate, in bytes per millisecond. */
export function noteRate(task: Task, bytes: number, ms: number): void {
  if (task.phase === "plan") return;
  task.job.lastMs[task.phase] = ms;
  const rates = task.job.rates[task.phase];
  rates.push(bytes / Math.max(1, ms));
  if (rates.length > limits.ratesKept) rates.shift();
}

/**
 * Starts backup attempts. Called after all tasks were given out. A task that waits for another worker goes before a
 * backup.
 */
export function startBackups(cluster: Cluster, isHeldBack: boolean): void {
  if (isHeldBack || cluster.idle.size === 0 || cluster.now < cluster.backupsAt) return;
  cluster.backupsAt = cluster.now + cluster.options.leaseMs / looksPerLease;
  for (const job of cluster.turns.values()) {
    const medians = { map: median(job.rates.map), reduce: median(job.rates.reduce) };
    for (const attempt of [...job.attempts]) {
      const { phase } = attempt.task;
      if (isStuckAhead(attempt) && otherWorker(cluster, attempt.worker) !== undefined) {
        takeBack(cluster, attempt);
        continue;
      }
      if (!hasRoom(job)) break;
      if (phase === "plan" || !isSlow(cluster, attempt, medians[phase])) continue;
      if (phase === "reduce" && !isBarrierOpen(job)) continue;
      const worker = otherWorker(cluster, attempt.worker);
      if (worker === undefined) return;
      start(cluster, attempt.task, worker);
    }
  }
}

/**
 * Whether an attempt is slow. A careful attempt never is: it is slow by nature, and a second one would find out nothing
 * more.
 */
function isSlow(cluster: Cluster, { report, task }: Attempt, medianRate: number | undefined): boolean {
  if (report === undefined || medianRate === undefined || task.attempts.length > 1 || task.careful) return false;
  if (report.runningMs < cluster.options.leaseMs) return false;
  return (report.bytes / report.runningMs) * cluster.options.backupSlowdown < medianRate;
}

function otherWorker(cluster: Cluster, busy: Worker): Worker | undefined {
  for (const worker of cluster.idle) {
    if (worker !== busy && capacity(worker) > 0 && isFit(cluster, worker)) return worker;
  }
  return undefined;
}

function median(rates: readonly number[]): number | undefined {
  if (rates.length < ratesMin) return undefined;
  return [...rates].sort((a, b) => a - b)[rates.length >> 1];
}
