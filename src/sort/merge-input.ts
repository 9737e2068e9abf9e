import { assert } from "../base/assert.ts";
import type { AttemptId } from "../base/ids.ts";
import type { Mergeable } from "./merge-plan.ts";
import type { RunFiles, RunReader, RunSource, Segment } from "./run.ts";
import { blockIdentity } from "./run-format.ts";
import { readAll, SegmentSource, scratch } from "./segment-source.ts";

/** A sorted input that is opened when its turn comes: there may be thousands. */
export interface MergeInput extends Mergeable {
  readonly pairs: number;
  readonly digest: bigint;
  open(): OpenInput;
}

export interface OpenInput {
  readonly source: RunSource;
  close(): void;
}

/** One partition of an opened run, which stays open; undefined where it has none. */
export function readerInput(reader: RunReader, partition: number): MergeInput | undefined {
  const segment = reader.segment(partition);
  return segment && { ...segment, open: () => ({ source: sourceOf(reader, partition), close() {} }) };
}

/**
 * One partition of a run that is opened to look, closed again, and opened once more when it is read, so that many runs need
 * few file descriptors; undefined where it has none.
 */
export function runInput(open: () => RunReader, partition: number): MergeInput | undefined {
  const reader = open();
  const segment = reader.segment(partition);
  reader.close();
  return (
    segment && {
      ...segment,
      open() {
        const reader = open();
        try {
          return { source: sourceOf(reader, partition), close: () => reader.close() };
        } catch (error) {
          reader.close();
          throw error;
        }
      },
    }
  );
}

/** A segment that was fetched into a file, where it lies among others; the file is open only while it is read. */
export function segmentInput(segment: Segment, writtenBy: AttemptId, files: RunFiles, path: string): MergeInput {
  return {
    ...segment,
    open() {
      const bytes = files.open(path);
      const window = (length: number, position: number) => {
        readAll(bytes, scratch, 0, length, position, path);
        return { buffer: scratch, at: 0 };
      };
      const source = new SegmentSource(segment, blockIdentity(writtenBy), path, window, bytes);
      return { source, close: () => bytes.close() };
    },
  };
}

function sourceOf(reader: RunReader, partition: number): RunSource {
  const source = reader.source(partition);
  assert(source !== undefined, "what has a segment has a source");
  return source;
}
