// The reduce side of the shuffle: one partition of all map outputs as one sorted stream. Each run is opened to look at its
// footer, closed, and opened again when its turn to be merged comes, so that thousands of map tasks need no more file
// descriptors than the fan-in of a merge.
import { assert } from "../base/assert.ts";
import { type AttemptId, sameAttempt } from "../base/ids.ts";
import { MergeCursor } from "../sort/cursor.ts";
import { measureFiles } from "../sort/measured-files.ts";
import { createMerger, type MergeOptions } from "../sort/merge.ts";
import { type MergeInput, runInput } from "../sort/merge-input.ts";
import type { Cursor, RunReader, RunRef, RunSource } from "../sort/run.ts";
import { corruptRun } from "../sort/run-format.ts";
import { namingLoss } from "./segment-lost.ts";

export interface GatherOptions extends MergeOptions {
  /** One per map task, in the order of their ordinals. */
  readonly runs: readonly RunRef[];
  /** May be called more than once for a run; what it opens is closed here. */
  open(run: RunRef): RunReader;
  readonly partition: number;
}

export interface Gathered {
  readonly cursor: Cursor;
  /** Of the partition, before folding: what the cursor gives where there is no fold. */
  readonly pairs: number;
  readonly bytes: number;
  /** Of intermediate runs written on the way. */
  readonly memoryRunBytes: number;
  readonly diskRunBytes: number;
}

/** Throws, also while the cursor is read, `SegmentLost` for a map output that can't be opened or verified. */
export function gather(options: GatherOptions): Gathered {
  const { runs, partition } = options;
  const files = measureFiles(options.files);
  let last = -1;
  const inputs: MergeInput[] = [];
  for (const run of runs) {
    assert(run.writtenBy.index > last, "runs come in the order of their ordinals");
    last = run.writtenBy.index;
    const input = namingLoss(run.writtenBy, () => runInput(() => openChecked(options, run), partition));
    if (input !== undefined) inputs.push(lossNamed(run.writtenBy, input));
  }
  const merge = createMerger({ ...options, files }).merge(inputs, partition);
  return {
    cursor: new MergeCursor(merge),
    pairs: inputs.reduce((sum, input) => sum + input.pairs, 0),
    bytes: inputs.reduce((sum, input) => sum + input.bytes, 0),
    memoryRunBytes: files.memoryBytes,
    diskRunBytes: files.diskBytes,
  };
}

/** Opens a run and compares it with what its winner reported. */
function openChecked(options: GatherOptions, run: RunRef): RunReader {
  const reader = options.open(run);
  if (reader.pairs === run.pairs && sameAttempt(reader.writtenBy, run.writtenBy)) return reader;
  reader.close();
  throw corruptRun(run.path, `it is not the run that was reported, which has ${run.pairs} pairs`);
}

function lossNamed(map: AttemptId, input: MergeInput): MergeInput {
  return {
    ...input,
    open() {
      const { source, close } = namingLoss(map, () => input.open());
      const named: RunSource = {
        blockBytesMax: source.blockBytesMax,
        read: (target, at) => namingLoss(map, () => source.read(target, at)),
        end: (pairs, digest) => namingLoss(map, () => source.end(pairs, digest)),
        get lastPairs() {
          return source.lastPairs;
        },
        get lastDigest() {
          return source.lastDigest;
        },
      };
      return { source: named, close };
    },
  };
}
