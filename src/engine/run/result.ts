// What `run()` gives for a job that has succeeded; its files are looked up in the output.
import { deadLettersOutput } from "../../base/ids.ts";
import { systemClock } from "../../base/system/clock.ts";
import { jobDefinition } from "../../job/define-job.ts";
import { noCounts } from "../../job/definition.ts";
import type { JobResult, PhaseStatistics } from "../../job/run-options.ts";
import { publishedFiles } from "../../output/published.ts";
import { manifestStats, noStats } from "../../protocol/stats.ts";
import type { JobView } from "../../protocol/view.ts";
import type { Manifest } from "../../storage/manifest.ts";
import type { JobEngine } from "../engine.ts";
import type { CheckedRunOptions } from "./options.ts";

export function resultOf(
  job: object,
  view: JobView,
  { output }: CheckedRunOptions,
  startedMs: number,
): Omit<JobResult, "files"> {
  const { inputBytes, map, reduce } = view.stats;
  return {
    counters: countersOf(job, view),
    stats: { inputBytes, map: phaseStatistics(map), reduce: phaseStatistics(reduce) },
    deadLetters: view.deadLetters,
    ...(output !== undefined && { output }),
    elapsedMs: systemClock.now() - startedMs,
  };
}

/** The same of an output that an earlier run has published, by its manifest. */
export async function resultOfEarlier(
  job: object,
  { storage }: JobEngine,
  done: Manifest,
  { output, deadLetters }: CheckedRunOptions,
): Promise<Omit<JobResult, "files" | "elapsedMs">> {
  const aside =
    deadLetters === undefined
      ? done.files.filter((file) => file.output === deadLettersOutput)
      : await publishedFiles(storage, deadLetters);
  const { inputBytes, map, reduce } = done.stats;
  return {
    counters: countersOf(job, done),
    stats: { inputBytes, map: phaseStatistics(map), reduce: phaseStatistics(reduce) },
    deadLetters: aside.reduce((sum, { records }) => sum + records, 0),
    ...(output !== undefined && { output }),
  };
}

/** The counters as a plain object, which compares equal to a literal. */
function countersOf(job: object, view: Pick<JobView, "counters">): JobResult["counters"] {
  return Object.fromEntries([...Object.entries(declaredCounters(job)), ...Object.entries(view.counters)]);
}

/**
 * Those that the job declares, at 0. Where `module` says which job runs, the object at hand may be anything, and a run
 * that has published its result must not fail because of it.
 */
function declaredCounters(job: object): JobResult["counters"] {
  try {
    return noCounts(jobDefinition(job));
  } catch {
    return {};
  }
}

/** What callers are shown of a phase: what `_SUCCESS` says of it. An older one may lack a number. */
function phaseStatistics(stats: Readonly<Record<string, number>>): PhaseStatistics {
  return manifestStats({ ...noStats, ...stats }) as unknown as PhaseStatistics;
}
