// Records of text files: chunks → blocks of whole records → strings → what a format makes of a string.

import { messageOf } from "../../base/value/message.ts";
import type { Block } from "../blocks/block.ts";
import { delimited, quotedLines } from "../blocks/boundary.ts";
import { badRecordIn, readBlocks } from "../blocks/reader.ts";
import { BadRecord, type ReadFrom, type RecordBatch, UserThrew } from "../format.ts";
import { type LineBatch, LineDecoder, type LineOptions } from "./decoder.ts";

export interface LineReaderOptions extends LineOptions {
  /** Default `limits.recordBytesMax`. */
  readonly recordBytesMax?: number;
  /** Whether line ends inside a refused record are counted (lines/ends.ts). */
  readonly countsLines?: boolean;
}

/** Lines that end with "\n" or "\r\n", in UTF-8. */
export const lineFeeds: LineReaderOptions = { delimiter: "\n", stripCarriageReturn: true, invalid: "fail" };

/** Reads delimited records as strings, about 64 KiB of them in a batch. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  from: ReadFrom,
  options: LineReaderOptions,
): AsyncGenerator<LineBatch, void, undefined> {
  const decoder = new LineDecoder(options);
  for await (const block of readLineBlocks(chunks, from, options)) {
    yield* decoded(decoder, block);
  }
}

/** Yields the records of one block, then throws the first one that can't be decoded, if there is one. */
export async function* decoded(decoder: LineDecoder, block: Block): AsyncGenerator<LineBatch, void, undefined> {
  const batch = decoder.decode(block);
  if (batch.records.length > 0) yield batch;
  if (batch.bad !== undefined) throw batch.bad;
}

/** Reads blocks of whole records, which `readLines` decodes. */
export function readLineBlocks(
  chunks: AsyncIterable<Uint8Array>,
  from: ReadFrom,
  options: LineReaderOptions,
): AsyncGenerator<Block, void, undefined> {
  const { rule, quoted = rule?.multiline === true } = options;
  const boundary = rule?.boundary() ?? (quoted ? quotedLines() : delimited(Buffer.from(options.delimiter)));
  const hint = quoted ? "; a quote may not be closed" : "";
  const { recordBytesMax, countsLines } = options;
  return readBlocks(chunks, from, { boundary, recordBytesMax, hint, countsLines });
}

/** What the `parse` of `readParsed` returns for a line that holds no record. */
export const noRecord = Symbol("no record");

/**
 * Turns lines into records. An error of `parse` becomes a `BadRecord` with the error's message and the line's place,
 * after the records before it were yielded; a `BadRecord` is passed on as it is.
 */
export async function* readParsed<In>(
  lines: AsyncIterable<LineBatch>,
  parse: (line: string, start: number) => In | typeof noRecord,
): AsyncGenerator<RecordBatch<In>, void, undefined> {
  for await (const batch of lines) {
    const records: In[] = [];
    let starts = batch.starts;
    for (let i = 0; i < batch.records.length; i++) {
      let record: In | typeof noRecord;
      try {
        record = parse(batch.records[i]!, batch.starts[i]!);
      } catch (thrown) {
        if (records.length > 0) yield { records, starts, end: batch.starts[i]! };
        throw badLine(batch, i, thrown);
      }
      if (record === noRecord) {
        if (starts === batch.starts) starts = starts.slice();
      } else {
        starts[records.length] = batch.starts[i]!;
        records.push(record);
      }
    }
    if (records.length > 0) yield { records, starts, end: batch.end };
  }
}

function badLine(batch: LineBatch, index: number, thrown: unknown): BadRecord {
  if (thrown instanceof BadRecord) return thrown;
  const end = index + 1 < batch.records.length ? batch.starts[index + 1]! : batch.end;
  const why = thrown instanceof UserThrew ? thrown : messageOf(thrown);
  return badRecordIn(batch.block, why, batch.starts[index]!, end);
}
