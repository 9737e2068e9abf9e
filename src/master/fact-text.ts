// Puts facts into words: as a line of a job's event log, and as an entry of the master's log.
import { unreachable } from "../base/assert.ts";
import { attemptName, taskName } from "../base/ids.ts";
import type { Log } from "../base/system/log.ts";
import { formatBytes } from "../base/units.ts";
import type { HistoryEvent } from "../protocol/services.ts";
import { type Fact, jobOf } from "../schedule/facts.ts";

/** The fact as a history event; undefined for a fact that belongs to no job. */
export function historyEvent(fact: Fact, date: Date): HistoryEvent | undefined {
  const job = jobOf(fact);
  if (job === undefined) return undefined;
  const attempt = "attempt" in fact ? fact.attempt : undefined;
  return {
    time: date.toISOString(),
    kind: fact.kind,
    job,
    task: attempt === undefined ? undefined : taskName(attempt),
    attempt: attempt === undefined ? undefined : attemptName(attempt),
    worker: "worker" in fact ? fact.worker : undefined,
    message: factText(fact),
  };
}

/** Logs a fact: as a warning when someone should look at it, at the level "debug" when it happens once per attempt. */
export function logFact(log: Log, fact: Fact): void {
  const fields: Record<string, unknown> = { event: fact.kind };
  const job = jobOf(fact);
  if (job !== undefined) fields["job"] = job;
  if ("attempt" in fact) fields["attempt"] = attemptName(fact.attempt);
  if ("worker" in fact) fields["worker"] = fact.worker;
  log[levelOf(fact)](fields, factText(fact));
}

function levelOf(fact: Fact): "debug" | "info" | "warn" {
  switch (fact.kind) {
    case "attempt-started":
    case "attempt-adopted":
    case "attempt-won":
    case "attempt-revoked":
    case "map-output-restored":
    case "map-output-moved":
    case "copy-failed":
      return "debug";
    case "attempt-failed":
    case "attempt-lost":
    case "late-call":
    case "map-output-lost":
    case "output-lost":
    case "decision-withdrawn":
    case "holder-unreachable":
    case "digest-changed":
    case "reduces-rolled-back":
    case "worker-silent":
    case "worker-forgotten":
    case "worker-excluded":
    case "worker-quarantined":
      return "warn";
    case "job-ended":
      return fact.outcome === "failed" ? "warn" : "info";
    default:
      return "info";
  }
}

/** The fact as one sentence. */
export function factText(fact: Fact): string {
  switch (fact.kind) {
    case "job-submitted":
      return `${fact.name} was submitted`;
    case "job-planned":
      return `planned: ${fact.maps} maps of ${formatBytes(fact.inputBytes)}, ${fact.reduces} reduces`;
    case "job-resumed":
      return "a failed job goes on where it stopped";
    case "decision-withdrawn":
      return `${fact.files - fact.left} of the ${fact.files} files that were to be published are gone: their tasks run again`;
    case "job-recovered":
      return `taken over from an earlier master while ${fact.state}`;
    case "job-closing":
      return `every task is done: ${fact.workers} ${fact.workers === 1 ? "worker is" : "workers are"} asked whether the job's code still does something`;
    case "job-decided":
      return `complete: ${fact.files} files, ${formatBytes(fact.bytes)}, are to be published`;
    case "job-published":
      return "published";
    case "job-ended":
      return fact.reason === undefined ? fact.outcome : `${fact.outcome}: ${fact.reason.message}`;
    case "job-forgotten":
      return fact.isShown ? "what was kept of it is removed: it can't be resumed any more" : "is no longer shown";
    case "attempt-started":
      return `${fact.isBackup ? "backup of a slow attempt" : "started"}${fact.careful ? ", careful" : ""}`;
    case "attempt-adopted":
      return "goes on, started by an earlier master";
    case "attempt-won":
      return `done in ${(fact.stats.wallMs / 1000).toFixed(1)} s: ${fact.stats.recordsIn} records in, ${fact.stats.recordsOut} out`;
    case "attempt-failed":
      return `${fact.failure}: ${fact.error.message}`;
    case "late-call":
      return `${fact.isTooLate ? "after the output was decided, which may lack it: " : ""}${fact.error.message}`;
    case "attempt-revoked":
    case "attempt-lost":
    case "map-output-lost":
      return fact.why;
    case "output-lost":
      return `its output file ${fact.why}: the task runs again`;
    case "map-output-restored":
      return "its output is there again";
    case "map-output-moved":
      return `its output lies on ${fact.worker} now, as ${fact.from} leaves`;
    case "copy-failed":
      return `${fact.worker} can't copy its output from ${fact.from}, which leaves: ${fact.why}`;
    case "holder-unreachable":
      return `${fact.worker} can't reach ${fact.holder}, which holds the output of ${attemptName(fact.attempt)}`;
    case "digest-changed":
      return "a map that ran again emitted something else than before";
    case "reduces-rolled-back":
      return `${fact.reduces} reduces have read what is no longer so and are done again (version ${fact.mapVersion})`;
    case "worker-joined":
      return `${fact.worker} joined at ${fact.address} with ${fact.slots} slots`;
    case "worker-reborn":
      return `${fact.worker} was started again at ${fact.address}: what its earlier life ran is lost`;
    case "worker-back":
      return `${fact.worker} is heard of again at ${fact.address}`;
    case "worker-silent":
      return `${fact.worker} has not been heard of for a lease: its attempts are given to others`;
    case "worker-forgotten":
      return `${fact.worker} has not been heard of for long and is forgotten`;
    case "worker-draining":
      return `${fact.worker} takes nothing new`;
    case "worker-excluded":
      return `${fact.worker} gets no work: everything has failed there`;
    case "worker-readmitted":
      return `${fact.worker} gets work again`;
    case "worker-quarantined":
      return `${fact.worker} came and went too often: it gets no work for ${Math.round(fact.ms / 1000)} s`;
    default:
      return unreachable(fact);
  }
}
