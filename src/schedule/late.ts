// Late calls: things that the job's code did after its call had returned (`WorkerReport.late`). The result lacks
// something then, so the job fails for good. Attempts that were revoked or lost don't count, as nothing of theirs is in
// the result.
import { type AttemptId, sameAttempt } from "../base/ids.ts";
import type { LateCall } from "../protocol/messages.ts";
import { failJob } from "./commit.ts";
import { isKept } from "./discard.ts";
import { note } from "./state/cluster.ts";
import { isOpen, taskOf } from "./state/job.ts";
import type { Cluster, Job, Worker } from "./state/state.ts";
import { attemptKey } from "./state/task.ts";
import { takeBack } from "./take-back.ts";

export function takeLate(cluster: Cluster, worker: Worker, late: readonly LateCall[]): void {
  for (const { attempt, error } of late) {
    const job = cluster.jobs.get(attempt.job);
    if (job === undefined) continue;
    const about = { kind: "late-call", attempt, worker: worker.id, error } as const;
    const isKeptDecided = isKept(job) && job.decision !== undefined;
    if (isOpen(job) || (isKept(job) && !isKeptDecided)) {
      if (!counts(worker, job, attempt)) continue;
      if (isOpen(job)) note(cluster, { ...about, isTooLate: false });
      // Before the job ends, so that a resumed job has no winner that lacks something.
      if (cluster.options.keepFailed === true) takeBack(cluster, job, attempt);
      failJob(cluster, job, error);
    } else if (job.stage === "publishing" || isKeptDecided ? isOfWinner(job, attempt) : isPublished(job)) {
      note(cluster, { ...about, isTooLate: true });
      // Resumed, it is published from its decision, unless that can't be: then the task is done again.
      if (isKeptDecided && counts(worker, job, attempt)) job.lateWinners.set(attemptKey(attempt), attempt);
    }
  }
}

function isPublished({ ended }: Job): boolean {
  return ended?.outcome === "succeeded";
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
