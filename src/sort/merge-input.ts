// The inputs of a merge: partitions of runs, on this machine or fetched. They are opened as late as possible, because
// file descriptors are few.
import { assert } from "../base/assert.ts";
import type { AttemptId } from "../base/ids.ts";
import type { Mergeable } from "./merge-plan.ts";
import type { RunFiles, RunReader, RunSource, Segment } from "./run.ts";
import { blockIdentity } from "./run-format.ts";
import { readAll, SegmentSource, scratch } from "./segment-source.ts";

/** A sorted input. It is opened only when its turn comes, because there may be thousands. */
export interface MergeInput extends Mergeable {
  readonly pairs: number;
  readonly digest: bigint;
  /** Opens the input for one pass of a merge. The merge that calls it closes what it gets. */
  open(): OpenInput;
}

export interface OpenInput {
  readonly source: RunSource;
  /** Closes the file of this input, if it was opened for it. Called once. */
  close(): void;
}

/** One partition of an opened run, which stays open. Returns undefined where the run has no such partition. */
export function readerInput(reader: RunReader, partition: number): MergeInput | undefined {
  const segment = reader.segment(partition);
  return segment && { ...segment, open: () => ({ source: sourceOf(reader, partition), close() {} }) };
}

/**
 * One partition of a run. The run is opened to look at its footer, closed again, and opened once more when it is read,
 * so that many runs need few file descriptors. Returns undefined where the run has no such partition.
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

/**
 * A segment that was fetched into a file, where it lies among others. The file is open only while the segment is read.
 */
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
