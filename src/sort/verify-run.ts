import type { RunFiles, RunRef } from "./run.ts";
import { corruptRun } from "./run-format.ts";
import { openRun } from "./run-reader.ts";

/**
 * Reads a run from its beginning to its end, and checks everything that is checked when it is merged. Throws
 * `corrupt-run`, and `segment-lost` where it is gone. `beat` is called for each segment.
 */
export function verifyRun(open: RunFiles["open"], run: RunRef, beat: () => void): void {
  const file = open(run.path);
  const { size } = file;
  const reader = openRun(file, run.writtenBy, run.path);
  try {
    if (size !== run.bytes || reader.pairs !== run.pairs)
      throw corruptRun(run.path, `${size} bytes and ${reader.pairs} pairs instead of ${run.bytes} and ${run.pairs}`);
    const target = Buffer.allocUnsafe(reader.blockBytesMax);
    for (const { partition } of reader.segments) {
      const source = reader.source(partition)!;
      let pairs = 0;
      let digest = 0n;
      while (source.read(target, 0) > 0) {
        pairs += source.lastPairs;
        digest = BigInt.asUintN(64, digest + source.lastDigest);
      }
      source.end(pairs, digest);
      beat();
    }
  } finally {
    reader.close();
  }
}
