// What the sort layer hands around: runs, segments and forward cursors over sorted pairs. It knows bytes only, and no
// jobs.
import type { AttemptId } from "../base/ids.ts";
import type { BlockSink, BlockSource, PairBlock } from "../kernel/kernel.ts";

/**
 * A finished, immutable run: a file of pairs sorted by (partition, key). Sizes and digests per partition are in its
 * footer.
 */
export interface RunRef {
  readonly writtenBy: AttemptId;
  readonly path: string;
  readonly bytes: number;
  readonly pairs: number;
}

/** One partition's part of a run. */
export interface Segment {
  readonly partition: number;
  readonly offset: number;
  readonly bytes: number;
  readonly pairs: number;
  /** The sum of the pair digests (kernel.ts) as written: it must be the same at both ends of a transfer. */
  readonly digest: bigint;
  /** The largest payload of its blocks, so that one giant value does not slow down the merge of other partitions. */
  readonly blockBytesMax: number;
}

/**
 * Where run files are made: in the memory tier first, then on disk (`tier/tier.ts`). The collector, merges and fetches
 * of a task call it, in the slot. It is synchronous, so that `emit` can spill.
 */
export interface RunFiles {
  /** Begins a file under a name that was never given before. The caller ends it by `finish` or `abort`. */
  create(name: string): RunFile;
  /** Opens a finished file, which the caller closes. Throws `segment-lost` where it is gone. */
  open(path: string): RunBytes;
  /** Removes a finished file. It need not exist any more. */
  remove(path: string): void;
}

/** A file being written, which no one sees before `finish`. */
export interface RunFile {
  /** Appends the bytes; they may be overwritten after the call. After it has thrown, only `abort` may be called. */
  write(bytes: Uint8Array): void;
  /** Makes the file visible under its final path. Called once. */
  finish(): FinishedFile;
  /** Removes what was written, also after a failure. May be repeated; does nothing after `finish`. */
  abort(): void;
}

export interface FinishedFile {
  readonly path: string;
  readonly bytes: number;
  /** Where the file lies, for statistics. Default: in memory. */
  readonly tier?: "memory" | "disk";
}

/** An opened file. */
export interface RunBytes {
  readonly size: number;
  /**
   * Fills target[at, at + length) from `position`, and returns the number of bytes read, which is smaller only at the
   * file's end.
   */
  read(target: Uint8Array, at: number, length: number, position: number): number;
  /** May be repeated; no read may follow. */
  close(): void;
}

/** Appends blocks in (partition, key) order; the footer that `finish` writes makes the file a run. */
export interface RunWriter extends BlockSink {
  /** Writes the footer and finishes the file. Called once. */
  finish(emissionDigest: bigint): RunRef;
  /** Removes the file. May be repeated, also after `finish`, when it does nothing. */
  abort(): void;
}

/** An opened run. A reduce reads one partition of it, the collector's merge all of them, one after the other. */
export interface RunReader {
  readonly writtenBy: AttemptId;
  readonly pairs: number;
  readonly emissionDigest: bigint;
  readonly blockBytesMax: number;
  /** The segments in partition order, without those that have no pairs. Reads and checks the whole footer. */
  readonly segments: readonly Segment[];
  /**
   * The segment of one partition; undefined where it has no pairs. Reads and checks as much of the footer as that
   * takes.
   */
  segment(partition: number): Segment | undefined;
  /** Reads and checks the whole footer. */
  checkFooter(): void;
  /**
   * The verified blocks of one partition; undefined where it has no pairs. Each call begins at the segment's first
   * block.
   */
  source(partition: number): RunSource | undefined;
  /** Closes the file. May be repeated; sources of this run can't be read after it. */
  close(): void;
}

/** The blocks of a segment, for a merge. */
export interface RunSource extends BlockSource {
  /** Pairs and digest of the block that was read last, as its header says; the block's checksum covers them. */
  readonly lastPairs: number;
  readonly lastDigest: bigint;
}

/**
 * A forward cursor, of the reduce side. Bytes and offsets are valid until the next `advance`. No view is made per pair.
 */
export interface Cursor {
  /** The pair is bytes[keyStart, keyEnd) and bytes[keyEnd, valueEnd). */
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueEnd: number;
  /** Whether the next `advance` may overwrite this pair; where it is false, the pair stays valid for one more step. */
  readonly isLast: boolean;
  /**
   * Bytes [start, end) of this pair as a view for user code, in memory that is never written again. The views of
   * neighbouring pairs may share that memory, because allocating for each would cost more than everything else about a
   * pair: one view that is kept keeps up to 32 KiB.
   */
  lasting(start: number, end: number): Uint8Array;
  /** Steps to the first or next pair; false at the end. Throws `corrupt-run`. */
  advance(): boolean;
  /** Reads the rest, so that every segment is verified to its end, and closes the files. */
  drain(): void;
  /** Closes the files without reading on: for an attempt that has failed. May be repeated. */
  close(): void;
}

/** A cursor over merged blocks, which can be taken whole. */
export interface BlockCursor extends Cursor {
  /**
   * The next block, or undefined at the end; valid until the next call. For callers that never call `advance`, and with
   * its errors.
   */
  nextBlock(): PairBlock | undefined;
}
