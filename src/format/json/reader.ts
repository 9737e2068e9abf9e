// Reads files of JSON lines, with any `JsonReader` to make records of a block.
import { isUtf8 } from "node:buffer";
import { delimited } from "../blocks/boundary.ts";
import { readBlocks } from "../blocks/reader.ts";
import { settled } from "../checked.ts";
import { BadRecord, type ReadFrom, type RecordBatch } from "../format.ts";
import { byteOrderMark, type LineBatch, LineDecoder } from "../lines/decoder.ts";
import { lineFeeds, readParsed } from "../lines/reader.ts";
import type { JsonReader } from "./batch.ts";

export async function* readJson(
  chunks: AsyncIterable<Uint8Array>,
  from: ReadFrom,
  reader: JsonReader,
): AsyncGenerator<RecordBatch<unknown>, void, undefined> {
  const decoder = new LineDecoder(lineFeeds);
  for await (const block of readBlocks(chunks, from, { boundary: delimited(Uint8Array.of(10)) })) {
    if (!isUtf8(block.bytes)) {
      yield* settledAll(readParsed(readBatches([decoder.decode(block)]), (line) => reader.parse(line)));
      continue;
    }
    for (let at = byteOrderMark(block.bytes, block.base); at < block.bytes.length; ) {
      const { batch, bad } = reader.read(block, at);
      if (batch.records.length > 0) yield batch;
      if (bad !== undefined) throw await settled(bad);
      at = batch.end - block.base;
    }
  }
}

async function* settledAll(batches: AsyncGenerator<RecordBatch<unknown>, void, undefined>) {
  try {
    yield* batches;
  } catch (thrown) {
    throw thrown instanceof BadRecord ? await settled(thrown) : thrown;
  }
}

async function* readBatches(batches: readonly LineBatch[]): AsyncGenerator<LineBatch, void, undefined> {
  for (const batch of batches) {
    yield batch;
    if (batch.bad !== undefined) throw batch.bad;
  }
}
