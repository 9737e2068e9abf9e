// The byte engine: partition, combine, sort and merge of encoded pairs inside one fixed arena. It knows no jobs, no
// files and none of a user's types. Its two implementations (WebAssembly and plain TypeScript) pass one suite and give
// the same bytes.
//
// A slot has one kernel. The collector (sort/collector.ts) collects with it on the map side, merges (sort/merge.ts) use
// it on both sides. All calls are synchronous, and nothing is re-entrant: sinks, sources and folds are called from
// within, and must not call the kernel.
//
// A pair has the same layout everywhere: in the batch, in the pool, in the blocks of runs and of merges:
//
//   pair  = varint keyBytes, varint valueBytes, key, value          (unsigned LEB128)
//
// With an explicit partitioner a pair in the batch is preceded by its partition as u32 little-endian.
//
// Hashes (XXH64, with seed 0 where no seed is given; all sums mod 2^64):
//   keyHash        = XXH64(key)                            partition by hash = floor((keyHash >> 32) * partitions / 2^32)
//                    (with `group`: of the grouping prefix of the key)
//   pair digest    = XXH64(value, seed = keyHash)           summed: order-free digest of pairs as written in a segment
//   emission term  = XXH64(value, seed = (keyHash + index * PRIME64_1) ^ (partition * PRIME64_2))
//                    summed over pairs as emitted, before combining; `index` counts the attempt's emissions from 0.
//                    The sum tells whether a map that runs again makes the same output, whatever its memory budget,
//                    spills and combining were.
//   sum term       = value * ((keyHash ^ (partition * PRIME64_2)) | 1), with a whole number as value; and where that
//                    is 0 or less, in addition: XXH64(value, seed = keyHash ^ (partition * PRIME64_2)).
//                    It takes the place of the emission term with `sums`. It is linear in the numbers above 0, which
//                    most jobs sum: so it is computed from a key's sum when that is handed out, and a pair whose key
//                    is known costs no hash. A fold may be applied any number of times, so emissions with the same
//                    sums can't be told apart; another sum, or a key more or less, changes the digest. Values that
//                    are 0 or that cancel each other leave a key that no sum shows: hence the second term.
// (keyHash in the digests is always that of the whole key.)

/**
 * How the bytes of one part of a tuple key end: after this many bytes, or at 00 00 (ascending), or at FF FF
 * (descending, whose bytes are inverted).
 */
export type PartShape = number | "ascending" | "descending";

export type KernelPartitioner =
  | { readonly kind: "hash" }
  /** Partition = number of boundaries <= key (or its grouping prefix). Sorted, distinct, fewer than partitions. */
  | { readonly kind: "range"; readonly boundaries: readonly Uint8Array[] }
  | { readonly kind: "explicit" };

/**
 * How the values of equal keys fold into one; the left argument is the earlier value.
 *
 * - "f64": every value is the 8 bytes of an order-preserving big-endian double (`writeF64`). Values are folded in a
 *   table while they are collected. With `integers`, a sum beyond 2^53 is an error.
 * - "bytes": any values. They are folded after the sort, per run of equal keys. The arguments are views that are
 *   valid only during the call. What `by` returns is its next left argument, as it is, or goes through `settle` when
 *   the run of equal keys has ended: so a fold may keep its own state, and return something that stands for it.
 *   With `columns` the kernel may fold values itself, in the table too, to the same bytes; what it does not take (sums
 *   that are infinite or of too many parts) it leaves to `by`. Such a fold must not depend on the order of values.
 */
export type KernelFold =
  | {
      readonly on: "f64";
      readonly by: "sum" | "min" | "max" | ((a: number, b: number) => number);
      readonly integers: boolean;
    }
  | {
      readonly on: "bytes";
      readonly by: (a: Uint8Array, b: Uint8Array) => Uint8Array;
      /** The bytes of what `by` has returned last; valid until the next call of `by`. Left out: they are what it is. */
      readonly settle?: (folded: Uint8Array) => Uint8Array;
      /**
       * What values begin with, where nothing but the tail of the sums follows (docs/aggregates.md, "How states are
       * stored"): from 1 to limits.kernelColumnsMax columns. Left out: they are any bytes.
       */
      readonly columns?: readonly KernelColumn[] | undefined;
    };

/**
 * How the numbers of one column fold: counts and exact sums are added, of others the least or the largest is kept. Only
 * a sum has parts in the tail.
 */
export type KernelColumn = "count" | "sum" | "min" | "max";

export type Combining = "auto" | "always" | "never";

export interface CollectOptions {
  /** From 1 to 10,000. */
  readonly partitions: number;
  readonly partitioner: KernelPartitioner;
  /** The parts of the key that decide its partition; undefined: the whole key. */
  readonly group: readonly PartShape[] | undefined;
  readonly fold: KernelFold | undefined;
  /**
   * "auto": combining stops when most keys of a window are new (distinct / pairs > 0.7), and starts again after the
   * next flush.
   */
  readonly combining: Combining;
  /** The emission index of the first pair. */
  readonly firstEmission: number;
  /**
   * All values are whole numbers in the 8-byte form, and the job uses nothing but each key's sum; `fold` is that sum,
   * or is left to the reduce. The emission digest then consists of sums ("sum term" above) and ignores the order of
   * emissions; it is complete after each `flush`. Default false.
   */
  readonly sums?: boolean | undefined;
}

/**
 * What separates the words of a text: spaces and line ends (LF or CR LF), or everything that is not an ASCII letter.
 */
export type WordEnds = "spaces" | "letters";

/**
 * The answer of `addWords`. "full": flush, and go on from `start`. "long": the caller has to emit the word at
 * arena[start, end) itself; the rest of the text begins behind it.
 */
export type WordsTaken =
  | { readonly kind: "taken" }
  | { readonly kind: "full"; readonly start: number }
  | { readonly kind: "long"; readonly start: number; readonly end: number };

/**
 * The engine itself. Whoever begins a collect or a merge ends the one before, because one thing at a time uses the
 * arena.
 */
export interface Kernel {
  /** The whole memory, the same object for the kernel's life: it never grows. */
  readonly arena: Uint8Array;
  /** The target size of a block's payload; a larger pair gets a block of its own. */
  readonly blockBytes: number;
  /** Begins collecting. Whatever was under way before is over: calls of it fail an assertion. */
  collect(options: CollectOptions): Collect;
  /**
   * Begins to merge sorted sources of one partition into one sorted stream, in which equal keys stay in the order of
   * the sources. (Where numbers are folded and everything fits, this may be done by a table of keys and a sort of its
   * content: the stream is the same.) The sources are read by `next` of the stream. Throws `over-limit` when they don't
   * fit, which is the caller's mistake: ask `mergeFits` first.
   */
  merge(sources: readonly BlockSource[], fold: KernelFold | undefined): MergeStream;
  /** Whether a merge of this many sources, with blocks of at most this many bytes, fits into the arena. */
  mergeFits(sources: number, blockBytesMax: number): boolean;
}

/**
 * One collect, used by the collector of a map attempt: write pairs into the batch, add it, and flush when it is full.
 */
export interface Collect {
  /** Where the caller writes pairs: arena[batchStart, batchEnd), as long as this collect is the current one. */
  readonly batchStart: number;
  readonly batchEnd: number;
  /**
   * Takes the pairs written to arena[batchStart, end). "full": the first of them may have been taken already; flush,
   * then call again with the same `end`, which goes on with the rest. After "taken" the batch is empty: write from
   * batchStart.
   */
  addBatch(end: number): "taken" | "full";
  /**
   * Only with `sums`: takes each word of the text in arena[start, end) as a pair emitted with 1. The text lies within
   * the batch's region while that holds no pairs.
   */
  addWords(start: number, end: number, ends: WordEnds): WordsTaken;
  /** Counts the line feeds in arena[start, end). */
  countLines(start: number, end: number): number;
  /**
   * Takes a pair too large for the batch; `partition` is given only with an explicit partitioner. "full": flush and try
   * again. "full" from a collect that holds nothing means that the arena can't hold the pair at all: the caller writes
   * it as a run of its own (`placeLarge`).
   */
  addLarge(key: Uint8Array, value: Uint8Array, partition: number | undefined): "taken" | "full";
  /**
   * Says which partition a pair of this key belongs to, and counts the pair as emitted: for a pair that the arena can't
   * hold. Called once per such pair.
   */
  placeLarge(
    key: Uint8Array,
    value: Uint8Array,
    partition: number | undefined,
  ): { readonly partition: number; readonly digest: bigint };
  /**
   * Sorts the pairs that are held (by partition, then key, then emission), folds equal keys, hands them out as blocks
   * and forgets them.
   */
  flush(sink: BlockSink): void;
  /** The number of pairs held now. */
  readonly held: number;
  /** The number of pairs taken since the beginning, plus `firstEmission`. */
  readonly emissions: number;
  /** The sum of the emission terms of all pairs taken; with `sums` it is complete only after `flush`. */
  readonly emissionDigest: bigint;
}

/** Takes blocks in (partition, key) order; `flush` calls it. */
export interface BlockSink {
  /**
   * The payload is bytes[start, end): whole pairs of one partition. It is valid only during the call. `prefixBytes` is
   * the number of leading bytes that all their keys share; `digest` is the sum of their pair digests.
   */
  block(
    partition: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    pairs: number,
    prefixBytes: number,
    digest: bigint,
  ): void;
}

/**
 * One segment of a run, block by block; a merge reads it. Segments of runs are `SegmentSource`
 * (sort/segment-source.ts).
 */
export interface BlockSource {
  /** The largest payload in its run, known from the footer. */
  readonly blockBytesMax: number;
  /** Upper bounds of its pairs and of their bytes, where they are known. */
  readonly pairsMax?: number | undefined;
  readonly bytesMax?: number | undefined;
  /**
   * Reads and verifies the next block into target[at, …), and returns its payload's bytes, or 0 at the end.
   * Synchronous. Throws `corrupt-run`. Not called again after it has returned 0.
   */
  read(target: Uint8Array, at: number): number;
  /**
   * Called once, when the last block has been consumed. Throws `corrupt-run` unless pairs and digest are what the
   * footer says.
   */
  end(pairs: number, digest: bigint): void;
}

/** Merged pairs, block by block. Callers read to the end, because only then every segment has been verified. */
export interface MergeStream {
  /** The next block, or undefined at the end. The block is valid until the next call. */
  next(): PairBlock | undefined;
}

/** Whole pairs in bytes[start, end), with the values that a `BlockSink` gets. */
export interface PairBlock {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly pairs: number;
  readonly prefixBytes: number;
  readonly digest: bigint;
}

export interface KernelOptions {
  /** From limits.arenaBytesMin to limits.arenaBytesMax, a multiple of 64 KiB. */
  readonly arenaBytes: number;
  /** Default limits.foldedBatchBytes, less in small arenas; `batchEndOf` (layout.ts) says how much of it is used. */
  readonly batchBytes?: number;
  /** The target size of a block's payload. Default limits.blockBytes, less in small arenas. */
  readonly blockBytes?: number;
}
