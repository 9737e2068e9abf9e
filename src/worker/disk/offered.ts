// Finds the runs that an earlier process left: whole ones are offered to the master, and everything else is removed.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { WorkerReport } from "../../protocol/messages.ts";
import type { RunFiles } from "../../sort/run.ts";
import { openRun } from "../../sort/run-reader.ts";
import { createTier } from "../../tier/tier.ts";

/**
 * Finished runs below the two directories (run-store.ts). Their footers are verified here, every block again when a
 * reduce reads it, and one that turns out bad then is a lost map output like any other. An attempt with more than one
 * file had not merged its runs yet: it can't have won, and goes.
 */
export function findOffered(runs: {
  readonly memory: string | undefined;
  readonly disk: string;
}): WorkerReport["offered"] {
  const files = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: runs.disk });
  const offered: WorkerReport["offered"][number][] = [];
  for (const paths of filesByAttempt([runs.memory, runs.disk]).values()) {
    const offer = paths.length === 1 ? verified(files, paths[0]!) : undefined;
    if (offer !== undefined) offered.push(offer);
    else for (const path of paths) rmSync(path, { recursive: true, force: true });
  }
  return offered;
}

/** "map-00012.1.7.run" is of the attempt "map-00012.1.7"; what is named otherwise is of an attempt of its own. */
function filesByAttempt(directories: readonly (string | undefined)[]): Map<string, string[]> {
  const byAttempt = new Map<string, string[]>();
  for (const directory of directories) {
    if (directory === undefined) continue;
    for (const job of readdirSync(directory)) {
      for (const name of readdirSync(join(directory, job))) {
        const attempt = `${job}/${/^[a-z]+-\d+\.\d+\.\d+(?=\.)/.exec(name)?.[0] ?? name}`;
        byAttempt.set(attempt, [...(byAttempt.get(attempt) ?? []), join(directory, job, name)]);
      }
    }
  }
  return byAttempt;
}

function verified(files: RunFiles, path: string): WorkerReport["offered"][number] | undefined {
  try {
    const bytes = files.open(path);
    const { size } = bytes;
    const reader = openRun(bytes, undefined, path);
    const { writtenBy, pairs, emissionDigest } = reader;
    try {
      reader.checkFooter();
    } finally {
      reader.close();
    }
    return { run: { writtenBy, path, bytes: size, pairs }, emissionDigest };
  } catch (error) {
    if (error instanceof MillraceError) return undefined; // cut short, or damaged
    throw error;
  }
}
