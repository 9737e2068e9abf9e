// The interface of what makes records of a part of a block of JSON lines: by declared fields or whole.

import { messageOf } from "../../base/value/message.ts";
import type { Block } from "../blocks/block.ts";
import { badRecordIn } from "../blocks/reader.ts";
import { type BadRecord, type RecordBatch, UserThrew } from "../format.ts";
import { byteOrderMark } from "../lines/decoder.ts";
import { noRecord } from "../lines/reader.ts";
import { MissingField } from "./field.ts";

/**
 * Records of a block, from some offset to `batch.end`. `bad` is the record there, to be thrown once these have been
 * used.
 */
export interface JsonBatch {
  readonly batch: RecordBatch<unknown>;
  readonly bad: BadRecord | undefined;
}

/**
 * Makes records of blocks of lines, for all files of one format. Batches are made one after the other, and keep none of
 * the reader's memory.
 */
export interface JsonReader {
  /** A line's record; `noRecord` for a blank line. */
  parse(line: string): unknown;
  /**
   * Reads lines of a block of UTF-8 from index `from` on; a byte order mark before that belongs to the first record.
   */
  read(block: Block, from: number): JsonBatch;
}

/** Reads all lines of a block from index `from` on, one by one; `text` is the whole block as Latin-1. */
export function readEachLine(
  block: Block,
  from: number,
  parse: (text: string, start: number, end: number) => unknown,
): JsonBatch {
  const { bytes, base } = block;
  const text = bytes.toString("latin1");
  const records: unknown[] = [];
  const starts: number[] = [];
  for (let at = from; at < bytes.length; ) {
    const { end, behind } = lineOf(bytes, text, at);
    try {
      const record = parse(text, at, end);
      if (record !== noRecord) {
        records.push(record);
        starts.push(base + (isMarked(block, at) ? 0 : at));
      }
    } catch (thrown) {
      return refused(block, records, new Float64Array(starts), at, thrown);
    }
    at = behind;
  }
  return { batch: { records, starts: new Float64Array(starts), end: base + bytes.length }, bad: undefined };
}

/** Where the line at `at` ends without its line end, and where the next line begins. */
export function lineOf(bytes: Buffer, text: string, at: number): { readonly end: number; readonly behind: number } {
  const found = text.indexOf("\n", at);
  if (found < 0) return { end: bytes.length, behind: bytes.length };
  return { end: found > at && bytes[found - 1] === 13 ? found - 1 : found, behind: found + 1 };
}

/** The batch of the records before the one at index `at`, which is refused. */
export function refused(
  block: Block,
  records: readonly unknown[],
  starts: Float64Array,
  at: number,
  thrown: unknown,
): JsonBatch {
  const { bytes, base } = block;
  const start = base + (isMarked(block, at) ? 0 : at);
  const found = bytes.indexOf(10, at);
  const end = base + (found < 0 ? bytes.length : found + 1);
  const line = () => bytes.toString("utf8", at, found < 0 ? bytes.length : found);
  const why = thrown instanceof MissingField ? thrown.of(line()) : thrown;
  return {
    batch: { records, starts, end: start },
    bad: badRecordIn(block, thrown instanceof UserThrew ? thrown : messageOf(why), start, end),
  };
}

/** Whether a byte order mark precedes the line at index `at`: it counts as part of the record. */
export function isMarked({ bytes, base }: Block, at: number): boolean {
  return at > 0 && at === byteOrderMark(bytes, base);
}
