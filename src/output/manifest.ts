// What `_SUCCESS` says about a job (storage/manifest.ts has the file's format).
import { createHash } from "node:crypto";
import { compareBytes } from "../base/bytes/bytes.ts";
import type { FinishedJob } from "../protocol/finished-job.ts";
import { manifestStats } from "../protocol/stats.ts";
import { encodeManifest, type Manifest, type ManifestFile } from "../storage/manifest.ts";

/** Builds the bytes of `_SUCCESS`, which are the same for the same job, whichever process builds them. */
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

/**
 * The main output first, then the others by name; the files of each in partition order, which is the order of their
 * names.
 */
function inOutputOrder(files: FinishedJob["files"]): ManifestFile[] {
  const outputs = new Map<string, ManifestFile[]>();
  for (const { name, output, bytes, records, sha256 } of files) {
    const file = { name, output, bytes, records, sha256 };
    const others = outputs.get(output);
    if (others === undefined) outputs.set(output, [file]);
    else others.push(file);
  }
  // Only the names of outputs are compared as bytes, not a million file names: the files of an output come in the order
  // of their names.
  const byBytes = (a: string, b: string) => compareBytes(Buffer.from(a), Buffer.from(b));
  const place = (output: string) => (output === "main" ? "" : output);
  return [...outputs]
    .toSorted(([a], [b]) => byBytes(place(a), place(b)))
    .flatMap(([, those]) => (isInOrder(those) ? those : those.toSorted((a, b) => byBytes(a.name, b.name))));
}

/** True only for plain names, whose characters are their bytes. */
function isInOrder(files: readonly ManifestFile[]): boolean {
  return files.every(
    ({ name }, index) => /^[\x20-\x7e]*$/.test(name) && (index === 0 || files[index - 1]!.name <= name),
  );
}
