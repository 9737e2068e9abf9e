// Output files of winners that are gone before they are published, as others can reach the folder where attempts write.
// The task runs again. For a map whose run reduces have read, the winner stays on record for its digest, with files
// that have no token.
import type { LostFile } from "../storage/storage.ts";
import { requeue } from "./state/attempt.ts";
import { note, saveTask } from "./state/cluster.ts";
import { update } from "./state/job.ts";
import type { Cluster, Job, Task } from "./state/state.ts";

import type { WithdrawnDecision } from "./step.ts";

/**
 * Does tasks of an undecided job again whose files are gone. Returns the first task to which that has happened too
 * often.
 */
export function loseFiles(cluster: Cluster, job: Job, lost: readonly LostFile[]): Task | undefined {
  const whys = new Map(lost.map(({ token, why }) => [token, why]));
  for (const tasks of [job.maps, job.reduces]) {
    for (const task of tasks) {
      const file = task.winner?.staged.find(({ token }) => whys.has(token));
      if (file === undefined) continue;
      if (task.infrastructureFailures + 1 >= cluster.options.infrastructureFailuresMax) return task;
      task.infrastructureFailures++;
      loseWinner(cluster, task, `${file.name} ${whys.get(file.token)}`);
    }
  }
  return undefined;
}

/** Applies a withdrawn decision: winners get the files that are staged now, or their tasks run again. */
export function takeBackFiles(cluster: Cluster, job: Job, { tokens }: WithdrawnDecision): void {
  for (const tasks of [job.maps, job.reduces]) {
    for (const task of tasks) {
      const { winner } = task;
      if (winner === undefined || winner.staged.length === 0) continue;
      const gone = winner.staged.find(({ token }) => tokens.get(token) === undefined);
      if (gone !== undefined) {
        loseWinner(cluster, task, `${gone.name} is gone`);
        continue;
      }
      const staged = winner.staged.map((file) => ({ ...file, token: tokens.get(file.token) ?? "" }));
      update(task, () => (task.winner = { ...winner, staged }));
      saveTask(cluster, task);
    }
  }
}

function loseWinner(cluster: Cluster, task: Task, why: string): void {
  const { winner, job } = task;
  if (winner === undefined) return;
  const isRead = task.phase === "map" && job.reduces.length > 0;
  const staged = winner.staged.map((file) => ({ ...file, token: "" }));
  update(task, () => (task.winner = isRead ? { ...winner, staged, runLost: `its file ${why}` } : undefined));
  job.sum = undefined;
  note(cluster, { kind: "output-lost", attempt: winner.attempt, worker: winner.worker, why });
  saveTask(cluster, task);
  requeue(cluster, task);
}
