// A sample of the input's records, spread evenly over its bytes, for the boundaries of `byRange`.
import { KiB } from "../base/limits.ts";
import { BadRecord } from "../format/format.ts";
import type { PlannedFile, Split } from "./plan.ts";
import { type InputBatch, type ReadSplitOptions, readSplit } from "./read-split.ts";
import { planSplits, totalBytes } from "./split.ts";

/**
 * 256 points x 32 records: the error of a quantile of 8192 samples is about 1 %, and reading them takes milliseconds.
 */
const points = 256;
const recordsPerPoint = 32;
/** 32 records of 250 bytes: a format makes records of all bytes that are read, needed or not. */
const firstBytes = 8 * KiB;

export interface SamplePoint {
  /** Begins with a record; the first records of it are the ones to take. */
  readonly split: Split;
  readonly recordsMax: number;
}

export type SampleOptions = Pick<ReadSplitOptions, "formatOf" | "storage" | "decompress" | "signal"> & {
  readonly files: readonly PlannedFile[];
};

/**
 * The input cut into 256 points of about the same size. A file that can't be cut (because it is compressed, or its
 * format has to be read from its start) counts for as many points as its size says, but all its samples are its first
 * records.
 */
export async function samplePoints(options: SampleOptions): Promise<SamplePoint[]> {
  const bytes = totalBytes(options.files);
  const pointBytes = Math.max(1, Math.ceil(bytes / points));
  const splits = await planSplits({ ...options, splitBytes: pointBytes });
  return splits.map((split) => {
    const splitBytes = split.reduce((sum, piece) => sum + piece.end - piece.start, 0);
    return { split, recordsMax: recordsPerPoint * Math.max(1, Math.round(splitBytes / pointBytes)) };
  });
}

/**
 * The sampled records, which are all records where the input is small. A record that the format refuses ends its point;
 * the map that reads it will report it.
 */
export async function* readSample(options: SampleOptions): AsyncGenerator<InputBatch, void, undefined> {
  const heads = new Map<number, Uint8Array>();
  for (const { split, recordsMax } of await samplePoints(options)) {
    let left = recordsMax;
    try {
      for await (const item of readSplit({ ...options, split, firstBytes, heads })) {
        yield firstRecords(item, left);
        left -= item.batch.records.length;
        if (left <= 0) break;
      }
    } catch (thrown) {
      if (!(thrown instanceof BadRecord)) throw thrown;
    }
  }
}

function firstRecords(item: InputBatch, count: number): InputBatch {
  const { records, starts } = item.batch;
  if (records.length <= count) return item;
  return { ...item, batch: { records: records.slice(0, count), starts, end: starts[count]! } };
}
