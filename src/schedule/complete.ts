// An attempt succeeded: the first valid one wins.
import { attemptName, sameAttempt } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { AttemptDone, FailureText } from "../protocol/messages.ts";
import { keys, type Winner } from "../protocol/records.ts";
import { encodePlan } from "../wire/stored/plans.ts";
import { planRecord } from "../wire/stored/records.ts";
import { noteRate } from "./assign/backup.ts";
import { failJob } from "./commit.ts";
import { attemptFailed } from "./failure.ts";
import { plainText } from "./failure-text.ts";
import { requeue, revoke } from "./state/attempt.ts";
import { note, put, saveTask } from "./state/cluster.ts";
import { setPlan, update } from "./state/job.ts";
import { noteSuccessThere } from "./state/standing.ts";
import type { Attempt, Cluster, Job, Task } from "./state/state.ts";
import { isDone, nameOf } from "./state/task.ts";
import { noteReached } from "./unreachable.ts";

/** Called with an attempt that is released already. Afterwards its task has a winner, or waits again. */
export function attemptSucceeded(cluster: Cluster, attempt: Attempt, done: AttemptDone): void {
  const { task, worker } = attempt;
  if (isDone(task)) return;
  noteSuccessThere(cluster, worker);
  switch (task.phase) {
    case "plan":
      planned(cluster, attempt, done);
      return;
    case "map":
      mapped(cluster, attempt, done);
      return;
    case "reduce":
      reduced(cluster, attempt, done);
      return;
  }
}

function planned(cluster: Cluster, attempt: Attempt, done: AttemptDone): void {
  const { job } = attempt.task;
  if (done.plan === undefined) {
    incomplete(cluster, attempt, "no plan");
    return;
  }
  const chunks = encodePlan(done.plan, limits.planChunkBytes);
  chunks.forEach((chunk, index) => {
    put(cluster, keys.planChunk(job.id, index), chunk);
  });
  const { id, incarnation } = attempt.worker;
  const record = { attempt: attempt.id, chunks: chunks.length, worker: id, incarnation };
  put(cluster, keys.planValid(job.id), planRecord.encode(record));
  setPlan(job, done.plan, record);
  noteWinner(cluster, attempt, done);
  const { maps, reduces, inputBytes } = job;
  note(cluster, { kind: "job-planned", job: job.id, maps: maps.length, reduces: reduces.length, inputBytes });
  for (const other of [...job.planTask.attempts]) revoke(cluster, other, wonBefore);
  for (const task of job.maps) requeue(cluster, task);
  for (const task of job.reduces) requeue(cluster, task);
  cluster.toAdvance.add(job);
}

function mapped(cluster: Cluster, attempt: Attempt, done: AttemptDone): void {
  const { task } = attempt;
  const { job } = task;
  const { emissionDigest, run } = done;
  const isMapOnly = job.reduces.length === 0;
  if (!isMapOnly && (run === undefined || emissionDigest === undefined || !sameAttempt(run.writtenBy, attempt.id))) {
    incomplete(cluster, attempt, "no run of its own");
    return;
  }
  const before = task.winner;
  const isChanged = before?.emissionDigest !== undefined && before.emissionDigest !== emissionDigest;
  // Until every map has won once, no reduce can have read anything.
  const mayBeRead = isChanged && job.mapsWon === job.maps.length;
  const isOverLimit = mayBeRead && job.digestRollbacks >= cluster.options.digestRollbacksMax;
  if (isChanged && (isOverLimit || job.spec.nondeterministic === "fail")) {
    const { id, worker } = attempt;
    const error = changedText(task, before);
    note(cluster, { kind: "attempt-failed", attempt: id, worker: worker.id, failure: "nondeterministic", error });
    failJob(cluster, job, error);
    return;
  }
  win(cluster, attempt, done, () => {
    task.placements++;
    if (mayBeRead) task.digestRollbacks++;
  });
  task.placedAt = job.mapVersion;
  if (run !== undefined) attempt.worker.runs.add(task);
  if (before !== undefined && before.worker !== attempt.worker.id) {
    cluster.workers.get(before.worker)?.runs.delete(task);
  }
  if (isChanged) {
    note(cluster, { kind: "digest-changed", attempt: attempt.id, worker: attempt.worker.id });
    task.digestVersion = job.mapVersion;
    job.mapVersionMin = job.mapVersion;
    rollBackReduces(cluster, job);
  }
  saveTask(cluster, task);
}

/**
 * Does reduces again that have read outputs which no longer count. Nothing is stored for it, as it follows from the
 * version on record.
 */
function rollBackReduces(cluster: Cluster, job: Job): void {
  for (const attempt of [...job.attempts]) {
    if (attempt.mapVersion !== undefined && attempt.mapVersion < job.mapVersionMin)
      revoke(cluster, attempt, "a map output that it reads has changed");
  }
  if (job.reducesWon > 0) {
    const { id, reducesWon, mapVersion } = job;
    note(cluster, { kind: "reduces-rolled-back", job: id, reduces: reducesWon, mapVersion });
  }
  for (const task of job.reduces) {
    if (task.winner !== undefined) {
      update(task, () => (task.winner = undefined));
      job.sum = undefined;
    }
    requeue(cluster, task);
  }
}

function reduced(cluster: Cluster, attempt: Attempt, done: AttemptDone): void {
  const { task } = attempt;
  const mapVersion = done.mapVersion ?? attempt.mapVersion;
  if (mapVersion === undefined || mapVersion > task.job.mapVersion) {
    incomplete(cluster, attempt, "no version of the map outputs that it read");
    return;
  }
  if (mapVersion < task.job.mapVersionMin) {
    const why = "a map output that it read has changed since";
    note(cluster, { kind: "attempt-revoked", attempt: attempt.id, worker: attempt.worker.id, why });
    requeue(cluster, task);
    return;
  }
  if (mapVersion === task.job.mapVersion) noteReached(attempt.worker, task);
  win(cluster, attempt, { ...done, mapVersion }, () => {});
  saveTask(cluster, task);
}

function win(cluster: Cluster, attempt: Attempt, done: AttemptDone, change: () => void): void {
  const { task } = attempt;
  const { job } = task;
  const isFirst = task.winner === undefined;
  update(task, () => {
    task.winner = winnerOf(attempt, done);
    change();
  });
  noteRate(task, done.stats.bytesIn, done.stats.wallMs);
  if (isFirst && task.phase !== "plan") job.sum?.add(task.phase, done);
  else job.sum = undefined;
  noteWinner(cluster, attempt, done);
  for (const other of [...task.attempts]) revoke(cluster, other, wonBefore);
  cluster.toAdvance.add(job);
}

const wonBefore = "another attempt has won";

function noteWinner(cluster: Cluster, { id, worker }: Attempt, { stats }: AttemptDone): void {
  note(cluster, { kind: "attempt-won", attempt: id, worker: worker.id, stats });
}

function winnerOf(attempt: Attempt, done: AttemptDone): Winner {
  const { worker, id } = attempt;
  return {
    attempt: id,
    worker: worker.id,
    incarnation: worker.incarnation,
    address: worker.address,
    run: done.run === undefined ? undefined : { ...done.run, writtenBy: id },
    emissionDigest: done.emissionDigest,
    mapVersion: done.mapVersion,
    staged: done.staged,
    deadLetters: done.deadLetters,
    lastAside: done.lastAside,
    largestGroups: done.largestGroups,
    counters: done.counters,
    stats: done.stats,
    runLost: undefined,
  };
}

/** Handles a success that lacks a part, which only another version of the program or a bug reports. */
function incomplete(cluster: Cluster, attempt: Attempt, what: string): void {
  attemptFailed(cluster, attempt, {
    kind: "infrastructure",
    error: plainText("io-error", `${attemptName(attempt.id)} on ${attempt.worker.id} reported success with ${what}`),
  });
}

function changedText(task: Task, before: Winner): FailureText {
  return plainText(
    "nondeterministic",
    `${nameOf(task)} was run again, because ${before.runLost ?? "its output was lost"}, and emitted something else than before: ` +
      "its map depends on more than its input. `millrace test` finds out where",
  );
}
