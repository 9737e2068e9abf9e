// Late calls: things that the job's code did after its call had returned (`WorkerReport.late`). The result lacks
// something then, so the job fails for good. Attempts that were revoked or lost don't count, as nothing of theirs is in
// the result.
import { type AttemptId, sameAttempt } from "../base/ids.ts";
import type { LateCall } from "../protocol/messages.ts";
import { failJob } from "./commit.ts";
import { isKept } from "./discard.ts";
import { note, saveTask } from "./state/cluster.ts";
import { isOpen, taskOf, update } from "./state/job.ts";
import type { Cluster, Job, Task, Worker } from "./state/state.ts";
import { attemptKey } from "./state/task.ts";

export function takeLate(cluster: Cluster, worker: Worker, late: readonly LateCall[]): void {
  for (const { attempt, error } of late) {
    const job = cluster.jobs.get(attempt.job);
    if (job === undefined) continue;
    const about = { kind: "late-call", attempt, worker: worker.id, error } as const;
    if (isOpen(job) || isKept(job)) {
      if (!counts(worker, job, attempt)) continue;
      if (isOpen(job)) note(cluster, { ...about, isTooLate: false });
      // Before the job ends, so that a resumed job has no winner that lacks something.
      if (cluster.options.keepFailed === true) takeBack(cluster, job, attempt);
      failJob(cluster, job, error);
    } else if (job.stage === "publishing" ? isOfWinner(job, attempt) : job.ended?.outcome === "succeeded") {
      note(cluster, { ...about, isTooLate: true });
    }
  }
}

/** Whether a late call of this attempt counts: it has won, it runs, or it failed by the job's own error. */
function counts(worker: Worker, job: Job, id: AttemptId): boolean {
  const known = worker.attempts.get(attemptKey(id));
  // A caller with a worker's token may claim anything, so a worker is only believed about its own attempts.
  if (known !== undefined) return sameAttempt(known.id, id) && known.state !== "stopping";
  const { winner, erred } = taskOf(job, id.phase, id.index) ?? {};
  if (winner !== undefined && winner.worker !== worker.id) return false;
  return isOfWinner(job, id) || (erred?.epoch === id.epoch && erred.attempt === id.attempt);
}

function isOfWinner(job: Job, id: AttemptId): boolean {
  const winner = id.phase === "plan" ? job.plannedBy : taskOf(job, id.phase, id.index)?.winner;
  return winner !== undefined && sameAttempt(winner.attempt, id);
}

/** Takes the winner back: its task, and all reduces that read its output, are done again when the job is resumed. */
function takeBack(cluster: Cluster, job: Job, id: AttemptId): void {
  const task = id.phase === "plan" ? undefined : taskOf(job, id.phase, id.index);
  if (task?.winner === undefined || !sameAttempt(task.winner.attempt, id)) return;
  if (task.phase === "reduce" || job.reduces.length === 0) {
    forgetWinner(cluster, task);
    return;
  }
  // Its digest stays, as it tells whether the next attempt emits something else.
  const { winner } = task;
  cluster.workers.get(winner.worker)?.runs.delete(task);
  const why = "its code went on after its call had returned";
  update(task, () => (task.winner = { ...winner, run: undefined, runLost: why }));
  saveTask(cluster, task);
  if (winner.runLost === undefined)
    note(cluster, { kind: "map-output-lost", attempt: winner.attempt, worker: winner.worker, why });
  for (const reduce of job.reduces) if (reduce.winner !== undefined) forgetWinner(cluster, reduce);
}

function forgetWinner(cluster: Cluster, task: Task): void {
  update(task, () => (task.winner = undefined));
  task.job.sum = undefined;
  saveTask(cluster, task);
}
