// `--json`: one JSON object per line, for scripts. Fields are only ever added.
import { formatDuration } from "../../base/units.ts";
import { Pace } from "../../engine/pace.ts";
import { roundedStats } from "../../protocol/stats.ts";
import type { JobStats, JobView } from "../../protocol/view.ts";
import type { Manifest } from "../../storage/manifest.ts";
import { eventLine } from "./event-stream.ts";
import { returnedNote } from "./summary.ts";

/** Time between two progress events. */
const everyMs = 1_000;

interface EventSink {
  write(text: string): void;
}

export function jsonEvents(sink: EventSink, startedMs: number) {
  const pace = new Pace(startedMs);
  let nextMs = Number.NEGATIVE_INFINITY;
  let next = 0;
  let state: JobView["state"] | undefined;
  const write = (event: Readonly<Record<string, unknown>>) => sink.write(eventLine(event));
  const failures = (view: JobView) => {
    for (const { number, task, error } of view.failures) {
      if (number < next) continue;
      write({ event: "attempt-failed", job: view.job, task, error });
      next = number + 1;
    }
  };
  return {
    progress(view: JobView, nowMs: number): void {
      failures(view);
      const now = pace.update(view, nowMs);
      if (view.state === state && nowMs < nextMs) return;
      state = view.state;
      nextMs = nowMs + everyMs;
      write({
        event: "progress",
        job: now.job,
        name: now.name,
        state: now.state,
        waiting: now.waiting,
        elapsedMs: Math.round(now.elapsedMs),
        tasks: now.tasks,
        records: now.records,
        bytes: now.bytes,
        inputBytes: now.inputBytes,
        percent: rounded(now.percent, 10),
        bytesPerSecond: rounded(now.bytesPerSecond),
        leftMs: rounded(now.leftMs),
        counters: now.counters,
        spilledBytes: now.spilledBytes,
        deadLetters: now.deadLetters,
        slow: now.slow.map((task) => ({ ...task, ms: Math.round(task.ms) })),
      });
    },
    /** Tells that a cluster has accepted the job. */
    submitted(job: string, name: string): void {
      write({ event: "submitted", job, name });
    },
    warning(message: string): void {
      write({ event: "warning", message });
    },
    done(view: JobView, elapsedMs: number, output: string | undefined): void {
      const note = returnedNote(view);
      write({
        event: "done",
        job: view.job,
        name: view.name,
        output,
        elapsed: formatDuration(elapsedMs),
        elapsedMs: Math.round(elapsedMs),
        counters: view.counters,
        stats: roundedTotals(view.stats),
        largestGroup: view.largestGroup,
        deadLetters: view.deadLetters,
        ...(note !== undefined && { note }),
        ...(view.deadLettersIn !== undefined && { deadLettersIn: view.deadLettersIn }),
      });
    },
    /** Tells that there was nothing to do, as an earlier run has published the same. */
    alreadyDone(job: Manifest["job"], output: string | undefined, counters: Manifest["counters"]): void {
      write({ event: "already-done", job: job.id, name: job.name, output, counters });
    },
    /** Tells that the job has failed or was cancelled. */
    ended(view: JobView): void {
      failures(view);
      write({ event: view.state, job: view.job, name: view.name, reason: view.reason, counters: view.counters });
    },
  };
}

/** In whole numbers, or in parts of one; JSON leaves out what is undefined. */
function rounded(value: number | undefined, parts = 1): number | undefined {
  return value === undefined ? undefined : Math.round(value * parts) / parts;
}

/** A job as `--json` shows it: times in whole milliseconds. */
export function roundedView(view: JobView): JobView {
  return { ...view, stats: roundedTotals(view.stats) };
}

function roundedTotals({ inputBytes, map, reduce }: JobStats): JobStats {
  return { inputBytes, map: roundedStats(map), reduce: roundedStats(reduce) };
}
