import { rmSync } from "node:fs";
import { join } from "node:path";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { namesIn } from "../../base/system/names-in.ts";

/** More jobs than this are not told of: what is left of the others is removed. Reports name other jobs too. */
const jobsMax = limits.jobsPerReportMax / 4;

/** The jobs of which an earlier process has left checkpoints below these folders: some of them may be over by now. */
export function jobsWithCheckpoints(folders: {
  readonly memory: string | undefined;
  readonly disk: string;
}): readonly JobId[] {
  const places = [folders.memory, folders.disk].filter((folder) => folder !== undefined);
  const jobs = [...new Set(places.flatMap(namesIn))];
  for (const job of jobs.slice(jobsMax))
    for (const place of places) rmSync(join(place, job), { recursive: true, force: true, maxRetries: 3 });
  return jobs.slice(0, jobsMax);
}
