// What the sort layer hands around: runs, segments and forward cursors over sorted pairs. Bytes only; it knows no job.
import type { AttemptId } from "../base/ids.ts";
import type { BlockSink, BlockSource, PairBlock } from "../kernel/kernel.ts";

/** A finished, immutable run: a file of pairs sorted by (partition, key). Sizes and digests per partition are in its footer. */
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
  /** Sum of pair digests (kernel.ts) as written: equal on both ends of a transfer. */
  readonly digest: bigint;
  /** Largest payload of its blocks: one giant value must not slow down the merge of other partitions. */
  readonly blockBytesMax: number;
}

/** Where run files are made: memory tier first, overflow to disk (`tier/tier.ts`). Synchronous, so `emit` can spill. */
export interface RunFiles {
  create(name: string): RunFile;
  /** Reads bytes of a finished file; fewer only at its end. */
  open(path: string): RunBytes;
  remove(path: string): void;
}

/** A file being written; nothing sees it before `finish`. */
export interface RunFile {
  write(bytes: Uint8Array): void;
  finish(): FinishedFile;
  /** Removes what was written; also after a failure. */
  abort(): void;
}

export interface FinishedFile {
  readonly path: string;
  readonly bytes: number;
  /** Where it lies, for statistics; left out: in memory. */
  readonly tier?: "memory" | "disk";
}

export interface RunBytes {
  readonly size: number;
  /** Fills target[at, at + length) from `position`; returns the bytes read. */
  read(target: Uint8Array, at: number, length: number, position: number): number;
  close(): void;
}

/** Appends blocks in (partition, key) order; the footer makes the file a run. */
export interface RunWriter extends BlockSink {
  finish(emissionDigest: bigint): RunRef;
  abort(): void;
}

export interface RunReader {
  readonly writtenBy: AttemptId;
  readonly pairs: number;
  readonly emissionDigest: bigint;
  readonly blockBytesMax: number;
  /** In partition order, those with pairs only; reads and checks all of the footer. */
  readonly segments: readonly Segment[];
  /** Reads and checks as much of the footer as it takes. */
  segment(partition: number): Segment | undefined;
  /** Reads and checks all of the footer. */
  checkFooter(): void;
  /** The blocks of one partition, verified; undefined where it has none. */
  source(partition: number): RunSource | undefined;
  close(): void;
}

export interface RunSource extends BlockSource {
  /** Pairs and digest of the block read last, as its header says; the block's checksum covers them. */
  readonly lastPairs: number;
  readonly lastDigest: bigint;
}

/** A forward cursor; bytes and offsets are valid until the next `advance`. No view is made per pair. */
export interface Cursor {
  /** The pair is bytes[keyStart, keyEnd) and bytes[keyEnd, valueEnd). */
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueEnd: number;
  /** Whether the next `advance` may write over this pair; without it the pair stays where it is a step longer. */
  readonly isLast: boolean;
  /**
   * Bytes [start, end) of this pair as a view for user code, of memory that is never written again. The neighbours' views may
   * share it, because memory for each costs more than all else about a pair: one that is kept keeps up to 32 KiB.
   */
  lasting(start: number, end: number): Uint8Array;
  /** Step to the first or next pair; false at the end. Throws `corrupt-run`. */
  advance(): boolean;
  /** Reads what is left, so that every segment is verified to its end, and lets go of the files. */
  drain(): void;
  /** Lets go of the files without reading on: for an attempt that has failed. */
  close(): void;
}

/** A cursor over merged blocks, which may be taken whole. */
export interface BlockCursor extends Cursor {
  /** The next block, or undefined at the end: for who never calls `advance`. Throws as that does. */
  nextBlock(): PairBlock | undefined;
}
