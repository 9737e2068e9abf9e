// The reduce side of the shuffle: one partition of all map outputs as one sorted stream, those on this machine and
// those that were fetched (client.ts). Each run is opened to look at its footer, closed, and opened again when its turn
// to be merged comes, so that thousands of map tasks need no more file descriptors than the fan-in of a merge.
import { createHash } from "node:crypto";
import { assert } from "../base/assert.ts";
import { type AttemptId, attemptName, sameAttempt } from "../base/ids.ts";
import { MergeCursor } from "../sort/cursor.ts";
import { createMerger, type MergeOptions } from "../sort/merge.ts";
import { type MergeInput, runInput } from "../sort/merge-input.ts";
import type { BlockCursor, RunReader, RunRef, RunSource } from "../sort/run.ts";
import { corruptRun } from "../sort/run-format.ts";
import { lostTogether, namingLoss, SegmentLost } from "./segment-lost.ts";

export interface GatherOptions extends MergeOptions {
  /** At most one run per map task, in the order of their ordinals. */
  readonly runs: readonly RunRef[];
  /** The fetched inputs of the other map tasks, in the same order. Default: there are none. */
  readonly fetched?: readonly MappedInput[];
  /** Opens a run. May be called more than once for a run; `gather` closes what it opens. */
  open(run: RunRef): RunReader;
  readonly partition: number;
}

/** Where one map's pairs of the partition are read. */
export interface MappedInput {
  readonly map: AttemptId;
  readonly input: MergeInput;
}

export interface Gathered {
  readonly cursor: BlockCursor;
  /** Pairs in the partition before folding, which the cursor gives where there is no fold; and their bytes. */
  readonly pairs: number;
  readonly bytes: number;
  /** SHA-256 of whose segments they are, and what each says of itself: where it is the same, so is what is merged. */
  digest(): Uint8Array;
}

/**
 * Merges one partition, for a reduce attempt. Throws, also while the cursor is read, `SegmentLost` for a map output
 * that can't be opened or verified.
 */
export function gather(options: GatherOptions): Gathered {
  const { partition } = options;
  const mapped = inputsInOrder(options);
  const inputs = mapped.map(({ input }) => input);
  const merge = createMerger(options).merge(inputs, partition);
  return {
    cursor: new MergeCursor(merge),
    pairs: inputs.reduce((sum, input) => sum + input.pairs, 0),
    bytes: inputs.reduce((sum, input) => sum + input.bytes, 0),
    digest: () => digestOf(mapped),
  };
}

/** One input per map that has pairs in the partition, in the order that the values of a key get. */
function inputsInOrder(options: GatherOptions): MappedInput[] {
  const { runs, partition, fetched = [] } = options;
  const mapped = [...fetched];
  const lost: SegmentLost[] = [];
  for (const run of runs) {
    try {
      const input = namingLoss(run.writtenBy, () => runInput(() => openChecked(options, run), partition));
      if (input !== undefined) mapped.push({ map: run.writtenBy, input: lossNamed(run.writtenBy, input) });
    } catch (error) {
      if (!(error instanceof SegmentLost)) throw error;
      lost.push(error); // the others are looked at too, as each loss that is found later costs another attempt
    }
  }
  if (lost.length > 0) throw lostTogether(lost);
  assertOrder(runs.map((run) => run.writtenBy));
  mapped.sort((a, b) => a.map.index - b.map.index);
  assertOrder(mapped.map(({ map }) => map));
  return mapped;
}

function digestOf(mapped: readonly MappedInput[]): Uint8Array {
  const hash = createHash("sha256");
  for (const { map, input } of mapped)
    hash.update(`${attemptName(map)} ${input.pairs} ${input.bytes} ${input.digest}\n`);
  return hash.digest();
}

function assertOrder(maps: readonly AttemptId[]): void {
  let last = -1;
  for (const { index } of maps) {
    assert(index > last, "maps come once, in the order of their ordinals");
    last = index;
  }
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
        pairsMax: source.pairsMax,
        bytesMax: source.bytesMax,
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
