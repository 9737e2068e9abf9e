// Checks what a worker says about itself, where bytes become data (`convert-worker.ts`), and so over every transport,
// the in-memory one too: names by the grammar of the command line, numbers and lists within bounds. A report that fails
// here is refused to its sender, and changes nothing for others. What attempts report is checked against their tasks
// (`check-result.ts`).
import { limits } from "../base/limits.ts";
import type { RunRef } from "../sort/run.ts";
import type { WorkerReport } from "./messages.ts";

/** Returns the report unchanged. Throws an error that says what is impossible in it. */
export function checkReport(report: WorkerReport): WorkerReport {
  const { worker, address, slots, slotsFree, slotsAhead, holdersKnown, running, finished, offered, settled, late } =
    report;
  const { copiesFailed = [], leavesInMs = 0 } = report;
  if (!isWorkerName(worker)) {
    throw new Error(
      `a worker's name is 1 to 64 letters, digits, ".", "-" and "_", not ${JSON.stringify(worker.slice(0, 80))}`,
    );
  }
  if (!isText(address, addressLengthMax)) throw new Error("its address is no text that an address can be");
  atMost("slots", slots, limits.slotsPerWorkerMax);
  atMost("free slots", slotsFree, limits.slotsPerWorkerMax);
  atMost("slots ahead", slotsAhead, limits.slotsPerWorkerMax);
  atMost("running attempts", running.length, limits.attemptsPerReportMax);
  atMost("finished attempts", finished.length, limits.attemptsPerReportMax);
  atMost("offered runs", offered.length, limits.runsPerMessage);
  const jobs = Object.keys(holdersKnown);
  atMost("jobs whose places it holds", jobs.length, limits.jobsPerReportMax);
  for (const job of jobs) checkJob(job);
  for (const { attempt } of running) checkJob(attempt.job);
  for (const { attempt } of finished) checkJob(attempt.job);
  atMost("late calls", late.length, limits.attemptsPerReportMax);
  for (const { attempt } of late) checkJob(attempt.job);
  atMost("settled jobs", settled.length, limits.jobsPerReportMax);
  for (const job of settled) checkJob(job);
  atMost("copies that failed", copiesFailed.length, limits.copiesPerWorkerMax);
  for (const { attempt, why } of copiesFailed) {
    checkJob(attempt.job);
    if (!isText(why, limits.copyWhyCharsMax)) throw new Error("why a copy failed is no text that it can be");
  }
  if (!Number.isFinite(leavesInMs) || leavesInMs < 0) throw new Error("the time that it stays is no time");
  for (const { run, emissionDigest } of offered) checkOffer(run, emissionDigest);
  return report;
}

/**
 * Whether a worker may have this name: 1 to 64 letters, digits, ".", "-" and "_", as it is part of keys, URLs and
 * screens.
 */
export function isWorkerName(name: string): boolean {
  return /^[\w.-]{1,64}$/.test(name);
}

/** Whether a text can be a job's id, of which file names and keys are made. */
export function isJobId(id: string): boolean {
  return /^[\w-]{1,64}$/.test(id);
}

/** Whether a text is at most that long, well-formed, and without control characters. */
export function isText(text: string, lengthMax: number): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.length <= lengthMax && text.isWellFormed() && !/[\x00-\x1f\x7f-\x9f]/.test(text);
}

/** Whether a text can be a path or a key: any name that a file can have. */
export function isPath(path: string): boolean {
  return path.length <= limits.pathBytesMax && path.isWellFormed() && !path.includes("\0");
}

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function isDigest(value: bigint): boolean {
  return value >= 0n && value < 2n ** 64n;
}

const addressLengthMax = 300;

function checkOffer(run: RunRef, emissionDigest: bigint): void {
  checkJob(run.writtenBy.job);
  if (!isPath(run.path) || !isCount(run.bytes) || !isCount(run.pairs) || !isDigest(emissionDigest)) {
    throw new Error("it offers a run that can't be");
  }
}

function checkJob(id: string): void {
  if (!isJobId(id)) throw new Error(`${JSON.stringify(id.slice(0, 80))} can't be a job's id`);
}

function atMost(what: string, count: number, most: number): void {
  if (isCount(count) && count <= most) return;
  throw new Error(`it names ${count} ${what}, and at most ${most} can be`);
}
