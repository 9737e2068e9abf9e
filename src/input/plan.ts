import type { FileInfo } from "../storage/storage.ts";

/** What the plan task found out, as stored in chunks. Every later task reads it, and it is never computed again. */
export interface Plan {
  readonly files: readonly PlannedFile[];
  /** In global input order. A split's index is the ordinal that orders values. */
  readonly splits: readonly Split[];
  /**
   * Partition boundaries for `byRange`, as encoded keys (or grouping prefixes of keys): at most partitions - 1,
   * distinct and sorted.
   */
  readonly boundaries: readonly Uint8Array[];
  /** The number of partitions; 0 for a map-only job. */
  readonly partitions: number;
}

export interface PlannedFile extends FileInfo {
  /**
   * What `ctx.source` and messages call the file: a relative path where the argument was one, "-" for standard input.
   */
  readonly source: string;
  /** The index of the named input it belongs to; 0 where there is one input. */
  readonly input: number;
  readonly compression: "none" | "gzip" | "zstd" | "program";
  /**
   * For a file that is cut: the offset behind its header, found once for all tasks that read it from its middle. 0: it
   * has none.
   */
  readonly headerEnd?: number;
}

/**
 * Pieces of one file or of many small ones, in order. A record belongs to the piece that has its first byte. A
 * compressed file is one piece, read whole, and its `end` is its size. All files of a split belong to one input.
 */
export type Split = readonly SplitPiece[];

/** The part [start, end) of a file. */
export interface SplitPiece {
  /** The index into `Plan.files`. */
  readonly file: number;
  readonly start: number;
  readonly end: number;
}
