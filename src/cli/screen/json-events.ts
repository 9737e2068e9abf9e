// `--json`: one JSON object per line on standard error, for scripts. Fields are only ever added.
import { formatDuration } from "../../base/units.ts";
import type { JobView } from "../../protocol/view.ts";
import type { Manifest } from "../../storage/manifest.ts";
import type { ProgressSink } from "./progress.ts";
import { returnedNote } from "./summary.ts";

/** Time between two progress events. */
const everyMs = 1_000;

export function jsonEvents(sink: ProgressSink) {
  let nextMs = Number.NEGATIVE_INFINITY;
  let next = 0;
  let state: JobView["state"] | undefined;
  const write = (event: Readonly<Record<string, unknown>>) => sink.write(`${JSON.stringify(event)}\n`);
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
      if (view.state === state && nowMs < nextMs) return;
      state = view.state;
      nextMs = nowMs + everyMs;
      write({
        event: "progress",
        job: view.job,
        name: view.name,
        state: view.state,
        tasks: view.tasks,
        records: view.stats.map.recordsIn,
        bytes: view.stats.map.bytesIn,
        inputBytes: view.stats.inputBytes,
        deadLetters: view.deadLetters,
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
        stats: view.stats,
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
