// What `_SUCCESS` says of a job (the file's format is in storage/manifest.ts).
import { createHash } from "node:crypto";
import { compareBytes } from "../base/bytes/bytes.ts";
import type { FinishedJob } from "../protocol/finished-job.ts";
import { manifestStats } from "../protocol/stats.ts";
import { encodeManifest, type Manifest, type ManifestFile } from "../storage/manifest.ts";

/** Builds the bytes of `_SUCCESS`: the same for the same job, whoever does it. */
export function manifestBuilder(versions: Manifest["versions"]): (job: FinishedJob) => Uint8Array {
  return (job) => encodeManifest(manifestOf(job, versions));
}

export function manifestOf(finished: FinishedJob, versions: Manifest["versions"]): Manifest {
  const { spec, stats } = finished;
  return {
    job: {
      name: spec.name,
      id: finished.job,
      bundle: spec.bundle,
      params: createHash("sha256").update(spec.params).digest("hex"),
      startedAt: spec.startedAt,
    },
    partitions: finished.partitions,
    files: inOutputOrder(finished.files),
    counters: finished.counters,
    stats: { inputBytes: stats.inputBytes, map: manifestStats(stats.map), reduce: manifestStats(stats.reduce) },
    versions,
  };
}

/** The main output first, then the others by name; each in partition order, which is the order of its names. */
function inOutputOrder(files: FinishedJob["files"]): ManifestFile[] {
  const outputs = new Map<string, ManifestFile[]>();
  for (const { name, output, bytes, records, sha256 } of files) {
    const file = { name, output, bytes, records, sha256 };
    const others = outputs.get(output);
    if (others === undefined) outputs.set(output, [file]);
    else others.push(file);
  }
  // Comparing bytes of a few names, not of a million: the files of an output come in the order of their names.
  const byBytes = (a: string, b: string) => compareBytes(Buffer.from(a), Buffer.from(b));
  const place = (output: string) => (output === "main" ? "" : output);
  return [...outputs]
    .toSorted(([a], [b]) => byBytes(place(a), place(b)))
    .flatMap(([, those]) => (isInOrder(those) ? those : those.toSorted((a, b) => byBytes(a.name, b.name))));
}

/** Certain for plain names, whose characters are their bytes. */
function isInOrder(files: readonly ManifestFile[]): boolean {
  return files.every(
    ({ name }, index) => /^[\x20-\x7e]*$/.test(name) && (index === 0 || files[index - 1]!.name <= name),
  );
}
