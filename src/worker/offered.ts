// Runs that an earlier process left: those that are whole are offered to the master, all else is removed.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../base/error.ts";
import type { WorkerReport } from "../rpc/messages.ts";
import type { RunFiles } from "../sort/run.ts";
import { openRun } from "../sort/run-reader.ts";
import { createTier } from "../storage/tier.ts";

/**
 * Finished runs below the two directories, one directory per attempt in each. Their footers are verified here, every block
 * again when a reduce reads it, and one that turns out bad then is a lost map output like any other. An attempt with more
 * than one run had not merged them yet: it can't have won, and goes.
 */
export function findOffered(runs: {
  readonly memory: string | undefined;
  readonly disk: string;
}): WorkerReport["offered"] {
  const files = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: runs.disk });
  const byAttempt = new Map<string, string[]>();
  for (const directory of [runs.memory, runs.disk]) {
    if (directory === undefined) continue;
    for (const attempt of readdirSync(directory)) {
      const paths = readdirSync(join(directory, attempt)).map((name) => join(directory, attempt, name));
      byAttempt.set(attempt, [...(byAttempt.get(attempt) ?? []), ...paths]);
    }
  }
  const offered: WorkerReport["offered"][number][] = [];
  for (const [attempt, paths] of byAttempt) {
    const offer = paths.length === 1 ? verified(files, paths[0]!) : undefined;
    if (offer !== undefined) offered.push(offer);
    else
      for (const directory of [runs.memory, runs.disk])
        if (directory !== undefined) rmSync(join(directory, attempt), { recursive: true, force: true });
  }
  return offered;
}

function verified(files: RunFiles, path: string): WorkerReport["offered"][number] | undefined {
  try {
    const bytes = files.open(path);
    const { size } = bytes;
    const reader = openRun(bytes, undefined, path);
    const { writtenBy, pairs, emissionDigest } = reader;
    reader.close();
    return { run: { writtenBy, path, bytes: size, pairs }, emissionDigest };
  } catch (error) {
    if (error instanceof MillraceError) return undefined; // cut short, or damaged
    throw error;
  }
}
