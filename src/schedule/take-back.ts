// Winners that were found to lack something, as their code did more after its call had returned (late.ts).
import { type AttemptId, sameAttempt } from "../base/ids.ts";
import { note, saveTask } from "./state/cluster.ts";
import { taskOf, update } from "./state/job.ts";
import type { Cluster, Job, Task } from "./state/state.ts";
import { whyLost } from "./why-lost.ts";

/** Takes the winner back: its task, and all reduces that read its output, are done again when the job is resumed. */
export function takeBack(cluster: Cluster, job: Job, id: AttemptId): void {
  const task = id.phase === "plan" ? undefined : taskOf(job, id.phase, id.index);
  if (task?.winner === undefined || !sameAttempt(task.winner.attempt, id)) return;
  if (task.phase === "reduce" || job.reduces.length === 0) {
    forgetWinner(cluster, task);
    return;
  }
  // Its digest stays, as it tells whether the next attempt emits something else.
  const { winner } = task;
  cluster.workers.get(winner.worker)?.runs.delete(task);
  const why = whyLost.wentOn;
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
