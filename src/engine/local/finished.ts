// What `resume` finds when there is nothing left to do: an output that an earlier run has published. It counts as done
// where this run would have made the same: by the same code, with the same parameters, of as many bytes of input.
import { createHash } from "node:crypto";
import { MillraceError } from "../../base/error.ts";
import type { JobSpec } from "../../job/spec.ts";
import { readManifest } from "../../output/published.ts";
import { type Manifest, manifestName } from "../../storage/manifest.ts";
import type { Storage } from "../../storage/storage.ts";

/**
 * The manifest of the output; undefined where no run has published one there. Throws `corrupt-output` of a damaged one.
 */
export async function finishedOutput(
  storage: Pick<Storage, "stat" | "read">,
  destination: string,
): Promise<Manifest | undefined> {
  const isThere = (await storage.stat(`${destination}/${manifestName}`)) !== undefined;
  return isThere ? await readManifest(storage as Storage, destination) : undefined;
}

/** Throws `nothing-to-resume`, naming what differs, unless a run of `spec` would have published the same. */
export function checkFinished({ job, stats }: Manifest, spec: JobSpec, inputBytes: number): void {
  const differences = [
    ...(job.bundle === spec.bundle ? [] : ["the job's code is not the same"]),
    ...(job.params === createHash("sha256").update(spec.params).digest("hex") ? [] : ["other parameters are given"]),
    ...(stats.inputBytes === inputBytes
      ? []
      : [`the input has ${inputBytes} bytes now, and had ${stats.inputBytes} then`]),
  ];
  if (differences.length === 0) return;
  throw new MillraceError(
    "nothing-to-resume",
    `${spec.output} was published by another run: ${differences.join("; ")}. Give another output, or --overwrite without --resume to replace it`,
  );
}
