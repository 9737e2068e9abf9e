// Where a record of a batch comes from, and the failure that names it. Both are made only for a few records: those that
// fail, and those whose map returns promises.
import { excerptOf } from "../../base/excerpt.ts";
import type { RecordBatch } from "../../format/format.ts";
import { type TaskFailure, userFailure } from "../failure.ts";
import type { RecordOrigin } from "./record-call.ts";

/** Where the records of a batch come from. */
export type BatchOrigin = Pick<RecordOrigin, "file" | "source" | "stream">;

export function originOf(batch: RecordBatch<unknown>, origin: BatchOrigin, index: number): RecordOrigin {
  const { records, starts, end, lines } = batch;
  const { file, source, stream } = origin;
  const offset = starts[index]!;
  return {
    file,
    source,
    stream,
    record: records[index],
    offset,
    bytes: (index + 1 < records.length ? starts[index + 1]! : end) - offset,
    lines: lines === undefined ? 0 : lines(index),
  };
}

/** `final`: no other attempt would do better. */
export function failed(origin: RecordOrigin, thrown: unknown, final: boolean): TaskFailure {
  const { file, offset, source, record, lines } = origin;
  return userFailure(thrown, {
    at: { file, offset },
    where: `${source}:${offset}`,
    excerpt: excerptOf(record),
    aside: 1 + lines,
    final,
  });
}

/** Bytes that a record keeps while its call is under way, as far as they are known. */
export function bytesOf(origin: RecordOrigin): number {
  return origin.record instanceof Uint8Array ? origin.record.length : 0;
}
