// Finds the record of a file that begins at an offset, or where the nearest ones begin if none does.

import { KiB } from "../base/limits.ts";
import type { InputFormat } from "../format/format.ts";
import type { Storage } from "../storage/storage.ts";
import { BadRecordIn } from "./bad-record.ts";
import type { PlannedFile } from "./plan.ts";
import { type Decompress, readSplit } from "./read-split.ts";
import { findStarts } from "./record-starts.ts";

export interface FindRecordOptions {
  readonly storage: Storage;
  readonly file: PlannedFile;
  readonly format: InputFormat<unknown>;
  readonly decompress: Decompress;
  readonly signal: AbortSignal;
}

export type FoundRecord =
  | { readonly kind: "record"; readonly record: unknown }
  /** The format refuses the record that begins there. */
  | { readonly kind: "refused"; readonly bad: BadRecordIn }
  /** No record begins there. `before` is the last one that begins before it, `next` the first one behind it. */
  | { readonly kind: "between"; readonly before: number | undefined; readonly next: number | undefined }
  /** The offset is behind the end of the file's decompressed content, which has `bytes` bytes. */
  | { readonly kind: "past-end"; readonly bytes: number };

/**
 * How far before the offset reading begins at first. Where no record begins in between, the next step is eight times as
 * far.
 */
const stepBytes = 64 * KiB;

/** Throws what reading throws: `bad-input`, `input-changed`, `over-limit`. */
export async function findRecord(options: FindRecordOptions, offset: number): Promise<FoundRecord> {
  const { file } = options;
  if (file.compression === "none" && offset >= file.bytes) return { kind: "past-end", bytes: file.bytes };
  let from = await startBefore(options, offset);
  let before: number | undefined;
  for (;;) {
    try {
      let end = from;
      for await (const { batch } of read(options, from)) {
        for (const [i, record] of batch.records.entries()) {
          const start = batch.starts[i]!;
          if (start === offset) return { kind: "record", record };
          if (start > offset) return { kind: "between", before, next: start };
          before = start;
        }
        end = batch.end;
      }
      if (file.compression === "none" || offset < end) return { kind: "between", before, next: undefined };
      return { kind: "past-end", bytes: end };
    } catch (thrown) {
      if (!(thrown instanceof BadRecordIn)) throw thrown;
      if (thrown.start === offset) return { kind: "refused", bad: thrown };
      if (thrown.start > offset) return { kind: "between", before, next: thrown.start };
      before = thrown.start;
      if (thrown.end === undefined || thrown.end > offset) return { kind: "between", before, next: thrown.end };
      from = thrown.end;
    }
  }
}

function read({ storage, file, format, decompress, signal }: FindRecordOptions, from: number) {
  return readSplit({
    split: [{ file: 0, start: 0, end: file.bytes }],
    files: { 0: file },
    formatOf: () => format,
    storage,
    decompress,
    signal,
    from: { file: 0, offset: from },
    firstBytes: 2 * stepBytes,
  });
}

/** The beginning of a record at or before the offset, close to it where the format allows that. */
async function startBefore({ storage, file, format }: FindRecordOptions, offset: number): Promise<number> {
  if (file.compression !== "none" || format.split === "whole-file") return 0;
  for (let step = stepBytes; ; step *= 8) {
    const wanted = offset - step;
    if (wanted <= 0) return 0;
    const start = (await findStarts(storage, file, format, [wanted]))[0]!;
    if (start <= offset) return start;
  }
}
