// How a job ends: it is decided, published, failed or cancelled, and its records are cleared away.
import { assert } from "../base/assert.ts";
import type { JobId, Phase } from "../base/ids.ts";
import type { FailureText } from "../protocol/messages.ts";
import { type EndedRecord, keys } from "../protocol/records.ts";
import type { CommitDecision, StagedFile } from "../storage/storage.ts";
import { encodeDecision } from "../wire/stored/commit.ts";
import { endedRecord } from "../wire/stored/records.ts";
import { beginClosing, endClosing, findWorkers, mayBeDecided } from "./closing.ts";
import { isKept } from "./discard.ts";
import { boundEnded, clearAway, keepFailed } from "./ended.ts";
import { plainText } from "./failure-text.ts";
import { findRuns } from "./lost.ts";
import { loseFiles, takeBackFiles } from "./lost-files.ts";
import { requeue, revoke } from "./state/attempt.ts";
import { note, put, saveTask } from "./state/cluster.ts";
import { isComplete, isOpen, phaseTasksDone, stagedFolders, totalsOf, totalsSumOf, update } from "./state/job.ts";
import { largestGroupOf } from "./state/largest-group.ts";
import type { Cluster, Job, Task } from "./state/state.ts";
import { nameOf } from "./state/task.ts";
import type { SchedulerEvent, WithdrawnDecision } from "./step.ts";
import { takeBack } from "./take-back.ts";

/** Called when something happened to the job: it may have exceeded a limit, or be complete. */
export function advance(cluster: Cluster, job: Job): void {
  if (job.stage === "working") checkLimits(cluster, job);
  if (isComplete(job)) beginClosing(cluster, job);
  if (job.stage === "closing" && mayBeDecided(cluster, job)) decide(cluster, job);
}

function checkLimits(cluster: Cluster, job: Job): void {
  const { skipBad } = job.spec;
  if (job.deadLetters + job.deadLetterLines > skipBad) {
    const lines = job.deadLetterLines === 0 ? "" : `, of ${job.deadLetters + job.deadLetterLines} lines,`;
    const message = `${job.deadLetters} bad records${lines} were put aside, and no more than ${skipBad} may be`;
    failJob(cluster, job, lastAsideOf(job) ?? plainText("bad-input", message));
    return;
  }
  const isDone = isComplete(job);
  // Where winners were replaced, everything would have to be summed again each time, so it is only looked at in the
  // end.
  const sum = isDone ? totalsSumOf(job) : job.sum;
  const exceeded = sum?.exceeded ?? (isDone ? sum?.exceededAtEnd : undefined);
  if (exceeded !== undefined) failJob(cluster, job, plainText(exceeded.code, exceeded.message));
}

/**
 * The error of a task that alone has too many dead letters, so that a job's end does not depend on how its input is
 * cut.
 */
function lastAsideOf({ maps }: Job): FailureText | undefined {
  return maps.findLast(({ winner }) => winner?.lastAside !== undefined)?.winner?.lastAside;
}

function decide(cluster: Cluster, job: Job): void {
  const totals = totalsOf(job);
  const { output, replaces, deadLetters } = job.spec;
  const manifest = (files: readonly StagedFile[]) =>
    cluster.options.manifest({
      job: job.id,
      spec: job.spec,
      partitions: job.reduces.length,
      files,
      counters: totals.counters,
      stats: { inputBytes: job.inputBytes, map: totals.map, reduce: totals.reduce },
    });
  const folder = (destination: string, files: readonly StagedFile[], identity: string | undefined) => ({
    destination,
    files,
    replaces: identity,
    manifest: manifest(files),
  });
  const [{ files } = { files: [] }, { files: aside } = { files: [] }] = stagedFolders(job);
  const decision: CommitDecision = {
    job: job.id,
    ...folder(output, files, replaces),
    // Published even if it is empty, so that its readers know that there are none.
    ...(deadLetters !== undefined && {
      deadLetters: folder(deadLetters.path, aside.map(asMain), deadLetters.replaces),
    }),
  };
  put(cluster, keys.decision(job.id), encodeDecision(decision));
  job.decision = decision;
  endClosing(cluster, job);
  job.stage = "publishing";
  job.view = undefined;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  note(cluster, { kind: "job-decided", job: job.id, files: files.length, bytes });
  publish(cluster, job);
}

/** Gives the command to publish. May be repeated: publishing a decision twice has the same effect as once. */
export function publish(cluster: Cluster, job: Job): void {
  assert(job.decision !== undefined, "what is published was decided");
  cluster.commands.push({ kind: "publish-output", decision: job.decision });
}

type LookEvent<K extends SchedulerEvent["kind"]> = Extract<SchedulerEvent, { readonly kind: K }>;

/**
 * Takes the answer to `look-at-files`: tasks whose files are gone run again. Ignored for a job that is no longer
 * waiting for it.
 */
export function filesLookedAt(cluster: Cluster, { job: id, look, lost }: LookEvent<"files-looked-at">): void {
  const job = cluster.jobs.get(id);
  if (job?.closing === undefined || job.closing.look !== look) return;
  if (lost.length === 0) {
    job.closing.areFilesThere = true;
    return;
  }
  const task = loseFiles(cluster, job, lost);
  if (task === undefined) {
    reopen(cluster, job);
    return;
  }
  const often = task.infrastructureFailures + 1;
  const message = `the output files of ${nameOf(task)} were gone ${often} times before they were published: something removes them from beside ${job.spec.output}`;
  failJob(cluster, job, plainText("corrupt-output", message));
}

export function lookFailed(cluster: Cluster, { job: id, look, error }: LookEvent<"look-failed">): void {
  const job = cluster.jobs.get(id);
  if (job?.closing?.look === look) failJob(cluster, job, error);
}

/** A file of a separate folder of dead letters belongs to that folder's main output, so that a job can read it. */
function asMain(file: StagedFile): StagedFile {
  return { ...file, output: "main" };
}

export function published(cluster: Cluster, id: JobId): void {
  const job = cluster.jobs.get(id);
  if (job?.stage !== "publishing") return;
  note(cluster, { kind: "job-published", job: id });
  end(cluster, job, "succeeded", undefined);
}

export function publishFailed(cluster: Cluster, id: JobId, error: FailureText): void {
  const job = cluster.jobs.get(id);
  if (job?.stage === "publishing") end(cluster, job, "failed", error);
}

/** Fails the job, unless it is decided or over: after the decision only publishing can fail. */
export function failJob(cluster: Cluster, job: Job, reason: FailureText): void {
  if (isOpen(job)) end(cluster, job, "failed", reason);
}

/** Cancels the job, unless it is decided or over. */
export function cancel(cluster: Cluster, id: JobId): void {
  const job = cluster.jobs.get(id);
  if (job !== undefined && isOpen(job)) end(cluster, job, "cancelled", undefined);
}

function end(cluster: Cluster, job: Job, outcome: EndedRecord["outcome"], reason: FailureText | undefined): void {
  const totals = totalsOf(job);
  const tasks = (phase: Phase) => ({ ...phaseTasksDone(job, phase), running: 0 });
  job.ended = {
    outcome,
    reason,
    counters: totals.counters,
    inputBytes: job.inputBytes,
    mapStats: totals.map,
    reduceStats: totals.reduce,
    largestGroup: outcome === "succeeded" ? largestGroupOf(job) : undefined,
    deadLetters: job.deadLetters,
    tasks: { plan: tasks("plan"), map: tasks("map"), reduce: tasks("reduce") },
    kept: outcome === "failed" && cluster.options.keepFailed === true,
    number: cluster.endNumber++,
  };
  put(cluster, keys.ended(job.id), endedRecord.encode(job.ended));
  endClosing(cluster, job);
  job.stage = "over";
  job.view = undefined;
  cluster.turns.delete(job.id);
  for (const attempt of [...job.attempts]) revoke(cluster, attempt, "its job is over");
  note(cluster, { kind: "job-ended", job: job.id, outcome, reason });
  if (isKept(job)) keepFailed(cluster, job);
  else clearAway(cluster, job);
  boundEnded(cluster);
}

/** The decision of a failed job that was kept; undefined if it was not decided. */
export function unpublished(cluster: Cluster, id: JobId): CommitDecision | undefined {
  const job = cluster.jobs.get(id);
  return job !== undefined && isKept(job) ? job.decision : undefined;
}

/**
 * Lets a failed job that was kept go on where it stopped. The failures that ended it are forgiven. Its end is undone
 * last, so that a commit that is cut off leaves a failed job, which can be resumed.
 */
export function resume(cluster: Cluster, id: JobId, withdrawn: WithdrawnDecision | undefined): void {
  const job = cluster.jobs.get(id);
  if (job?.stage !== "over" || !isKept(job)) return;
  // A job with another decision was resumed, and has failed again since.
  if (withdrawn !== undefined && withdrawn.decision !== job.decision) return;
  for (const task of tasksOf(job)) {
    if (task.failures === 0 && task.infrastructureFailures === 0 && task.userFailure === undefined) continue;
    update(task, () => {
      task.failures = 0;
      task.infrastructureFailures = 0;
      task.userFailure = undefined;
    });
    saveTask(cluster, task);
  }
  if (withdrawn !== undefined) undecide(cluster, job, withdrawn);
  cluster.changes.push({ delete: keys.ended(job.id) });
  job.ended = undefined;
  job.view = undefined;
  for (const worker of cluster.workers.values()) worker.discards.delete(id);
  findWorkers(cluster, job);
  note(cluster, { kind: "job-resumed", job: id });
  reopen(cluster, job);
}

function undecide(cluster: Cluster, job: Job, withdrawn: WithdrawnDecision): void {
  const left = [...withdrawn.tokens.values()].filter((token) => token !== undefined).length;
  note(cluster, { kind: "decision-withdrawn", job: job.id, files: withdrawn.tokens.size, left });
  cluster.changes.push({ delete: keys.decision(job.id) });
  job.decision = undefined;
  takeBackFiles(cluster, job, withdrawn);
  for (const late of job.lateWinners.values()) takeBack(cluster, job, late);
  job.lateWinners.clear();
}

/**
 * Puts a job that is not over into the stage that its records imply. Also called when a closing job has a task to do
 * again.
 */
export function reopen(cluster: Cluster, job: Job): void {
  endClosing(cluster, job);
  job.stage = job.decision !== undefined ? "publishing" : job.plan === undefined ? "planning" : "working";
  if (job.stage === "publishing") {
    publish(cluster, job);
    return;
  }
  cluster.turns.set(job.id, job);
  cluster.toAdvance.add(job);
  if (isComplete(job)) return; // no reduce reads its runs any more
  findRuns(cluster, job);
  if (job.stage === "planning") requeue(cluster, job.planTask);
  for (const task of job.maps) requeue(cluster, task);
  for (const task of job.reduces) if (task.winner === undefined) requeue(cluster, task);
}

function* tasksOf(job: Job): Iterable<Task> {
  yield job.planTask;
  yield* job.maps;
  yield* job.reduces;
}
