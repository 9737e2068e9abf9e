// Pairs for tests of the sort layer: how to emit them, and what must come out.

import { ByteBuffer } from "../../src/base/bytes/byte-buffer.ts";
import { compareBytes } from "../../src/base/bytes/bytes.ts";
import type { AttemptId } from "../../src/base/ids.ts";
import type { CollectOptions } from "../../src/kernel/kernel.ts";
import { ReferenceMerge } from "../../src/kernel/reference-merge.ts";
import { packBlocks } from "../../src/kernel/reference-pairs.ts";
import type { Collector } from "../../src/sort/collector.ts";
import { MergeCursor } from "../../src/sort/cursor.ts";
import type { Cursor, RunFiles, RunReader, RunRef } from "../../src/sort/run.ts";
import { openRun } from "../../src/sort/run-reader.ts";
import { createRunWriter } from "../../src/sort/run-writer.ts";

export interface TestPair {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
}

export function mapAttempt(index: number, attempt = 1): AttemptId {
  return { job: "job-1", phase: "map", index, epoch: 1, attempt };
}

export function reduceAttempt(index: number, attempt = 1): AttemptId {
  return { job: "job-1", phase: "reduce", index, epoch: 1, attempt };
}

/** Pairs name their partitions themselves. */
export function explicitOptions(partitions: number, fold?: CollectOptions["fold"]): CollectOptions {
  return {
    partitions,
    partitioner: { kind: "explicit" },
    group: undefined,
    fold,
    combining: "auto",
    firstEmission: 0,
  };
}

/** Emits as a task does: small pairs in batches, others past them. */
export function emitAll(collector: Collector, pairs: readonly TestPair[], batchPairBytesMax = 16 * 1024): void {
  const buffer = new ByteBuffer();
  let end = collector.batchStart;
  for (const pair of pairs) {
    const key = Buffer.from(pair.key);
    const value = Buffer.from(pair.value);
    buffer.reset();
    buffer.reserve(4);
    buffer.bytes.writeUInt32LE(pair.partition, 0);
    buffer.length = 4;
    buffer.writeVarint(key.length);
    buffer.writeVarint(value.length);
    buffer.writeBytes(key);
    buffer.writeBytes(value);
    if (buffer.length > Math.min(batchPairBytesMax, collector.batchEnd - collector.batchStart)) {
      collector.take(end);
      end = collector.batchStart;
      collector.takeLarge(key, value, pair.partition);
      continue;
    }
    if (end + buffer.length > collector.batchEnd) {
      collector.take(end);
      end = collector.batchStart;
    }
    collector.arena.set(buffer.view(), end);
    end += buffer.length;
  }
  collector.take(end);
}

/** Sorted by partition and key, equal ones in the order they came in. */
export function sortPairs(pairs: readonly TestPair[]): TestPair[] {
  return pairs.toSorted((a, b) => a.partition - b.partition || compareBytes(Buffer.from(a.key), Buffer.from(b.key)));
}

export function readCursor(cursor: Cursor, partition: number): TestPair[] {
  const pairs: TestPair[] = [];
  while (cursor.advance()) {
    const bytes = Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset, cursor.bytes.length);
    const key = bytes.toString("utf8", cursor.keyStart, cursor.keyEnd);
    pairs.push({ partition, key, value: bytes.toString("utf8", cursor.keyEnd, cursor.valueEnd) });
  }
  return pairs;
}

export function openRef(files: RunFiles, run: RunRef): RunReader {
  return openRun(files.open(run.path), run.writtenBy, run.path);
}

/** Writes sorted pairs as a run with blocks of at most `blockBytes`. */
export function writeRun(
  files: RunFiles,
  name: string,
  writtenBy: AttemptId,
  pairs: readonly TestPair[],
  blockBytes = 200,
): RunRef {
  const writer = createRunWriter(files, name, writtenBy);
  const encoded = pairs.map((pair) => ({
    partition: pair.partition,
    key: Buffer.from(pair.key),
    value: Buffer.from(pair.value),
  }));
  for (const block of packBlocks(encoded, blockBytes)) {
    writer.block(block.partition, block.bytes, block.start, block.end, block.pairs, block.prefixBytes, block.digest);
  }
  return writer.finish(7n);
}

/** All pairs of an opened run, each segment read and verified as a merge would. */
export function readRun(reader: RunReader): TestPair[] {
  return reader.segments.flatMap(({ partition }) => {
    const merge = new ReferenceMerge([reader.source(partition)!], undefined, 64 * 1024, () => true);
    return readCursor(new MergeCursor({ next: () => merge.next(), close() {} }), partition);
  });
}
