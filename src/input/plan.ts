import type { FileInfo } from "../storage/storage.ts";

/** The winner of the plan task: stored in chunks, read by every later task, never redone. */
export interface Plan {
  readonly files: readonly PlannedFile[];
  /** In global input order; the index is the ordinal that orders values. */
  readonly splits: readonly Split[];
  /** Partition boundaries as encoded keys (or grouping prefixes of keys), for `byRange`; at most partitions - 1, distinct, sorted. */
  readonly boundaries: readonly Uint8Array[];
  /** 0: map-only. */
  readonly partitions: number;
}

export interface PlannedFile extends FileInfo {
  /** What `ctx.source` and messages call it: relative where the argument was, "-" for standard input. */
  readonly source: string;
  /** Index of the named input it belongs to; 0 where there is one input. */
  readonly input: number;
  readonly compression: "none" | "gzip" | "zstd";
  /** Of a file that is cut: the offset behind its header, found once for all who read it from its middle. 0: it has none. */
  readonly headerEnd?: number;
}

/**
 * Pieces of one file or of many small ones, in order; a record belongs to the piece its first byte is in. `end` of a
 * compressed file is its size: it is one piece, read whole. All files of a split belong to one input.
 */
export type Split = readonly SplitPiece[];

export interface SplitPiece {
  /** Index into `Plan.files`. */
  readonly file: number;
  readonly start: number;
  readonly end: number;
}
