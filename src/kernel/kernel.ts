// The byte engine: partition, combine, sort and merge of encoded pairs inside one fixed arena. It knows no job, no file and
// no type of a user's; two implementations (WebAssembly and plain TypeScript) pass one suite and give the same bytes.
//
// One layout of a pair everywhere: in the batch, in the pool, in the blocks of runs and of merges:
//
//   pair  = varint keyBytes, varint valueBytes, key, value          (unsigned LEB128)
//
// With an explicit partitioner a pair in the batch is preceded by its partition as u32 little-endian.
//
// Hashes (XXH64, seed 0 unless said; all sums mod 2^64):
//   keyHash        = XXH64(key)                            partition by hash = floor((keyHash >> 32) * partitions / 2^32)
//                    (with `group`: of the grouping prefix of the key)
//   pair digest    = XXH64(value, seed = keyHash)           summed: order-free digest of pairs as written in a segment
//   emission term  = XXH64(value, seed = (keyHash + index * PRIME64_1) ^ (partition * PRIME64_2))
//                    summed over pairs as emitted, before combining; `index` counts the attempt's emissions from 0. It says
//                    whether a re-run map made the same output, whatever budgets, spills and combining did.
//   sum term       = value * ((keyHash ^ (partition * PRIME64_2)) | 1), of a whole number as value; and where that is 0 or less,
//                    besides: XXH64(value, seed = keyHash ^ (partition * PRIME64_2)).
//                    The emission term with `sums`. It is linear in what most jobs sum, numbers above 0: so it is made of a
//                    key's sum when that is handed out, and a pair whose key is known costs no hash. A fold may be applied any
//                    number of times, so that nobody can tell emissions with the same sums apart; those with another sum, and
//                    a key more or less, change the digest. Values that are 0 or cancel each other leave a key behind that
//                    no sum shows, hence the second term.
// (keyHash in the digests is always of the whole key.)

/** How the bytes of one part of a tuple key end: so many bytes, or at 00 00 (unescaped), or at FF FF (inverted). */
export type PartShape = number | "ascending" | "descending";

export type KernelPartitioner =
  | { readonly kind: "hash" }
  /** Partition = number of boundaries <= key (or its grouping prefix). Sorted, distinct, at most partitions - 1. */
  | { readonly kind: "range"; readonly boundaries: readonly Uint8Array[] }
  | { readonly kind: "explicit" };

/**
 * How equal keys' values fold into one: left is the earlier one. "f64": every value is the 8 bytes of an order-preserving
 * big-endian double (`writeF64`), folded in a table while collecting; a sum of integers beyond 2^53 is an error
 * (`integers`). "bytes": any values, folded after the sort, per run of equal keys; arguments are views valid during the call.
 */
export type KernelFold =
  | {
      readonly on: "f64";
      readonly by: "sum" | "min" | "max" | ((a: number, b: number) => number);
      readonly integers: boolean;
    }
  | { readonly on: "bytes"; readonly by: (a: Uint8Array, b: Uint8Array) => Uint8Array };

export type Combining = "auto" | "always" | "never";

export interface CollectOptions {
  /** 1 to 10,000. */
  readonly partitions: number;
  readonly partitioner: KernelPartitioner;
  /** Parts of the key that partition; undefined: the whole key. */
  readonly group: readonly PartShape[] | undefined;
  readonly fold: KernelFold | undefined;
  /** "auto": given up per window while keys don't repeat (distinct / pairs > 0.7), tried again after the next flush. */
  readonly combining: Combining;
  /** Emission index of the first pair. */
  readonly firstEmission: number;
  /**
   * All values are whole numbers in the 8-byte form, of which the job uses nothing but each key's sum; `fold` is that sum, or
   * left to the reduce. The emission digest is then one of sums ("sum term" above), in which the order of emissions means
   * nothing; it is complete after each `flush`. Left out: false.
   */
  readonly sums?: boolean | undefined;
}

/** What stands between the words of a text: spaces and line ends (LF or CR LF), or whatever is no ASCII letter. */
export type WordEnds = "spaces" | "letters";

/** Of `addWords`. "long": the word at arena[start, end) is for the caller to emit; the rest of the text begins behind it. */
export type WordsTaken =
  | { readonly kind: "taken" }
  | { readonly kind: "full"; readonly start: number }
  | { readonly kind: "long"; readonly start: number; readonly end: number };

export interface Kernel {
  /** The whole memory; the same object for the kernel's life. Nothing grows. */
  readonly arena: Uint8Array;
  /** Target size of a block's payload; a larger pair gets a block of its own. */
  readonly blockBytes: number;
  /** Begin collecting. Ends what was under way before: one thing at a time uses the arena. */
  collect(options: CollectOptions): Collect;
  /**
   * Merge sorted sources of one partition into one sorted stream; equal keys stay in the order of the sources. (Where numbers
   * are folded and all fits, this may be done by a table of keys and a sort of what is left: the same stream.) Throws
   * `over-limit` (a caller's mistake) when they don't fit: see `mergeFits`.
   */
  merge(sources: readonly BlockSource[], fold: KernelFold | undefined): MergeStream;
  /** Whether so many sources with blocks of at most so many bytes can be merged in the arena at once. */
  mergeFits(sources: number, blockBytesMax: number): boolean;
}

export interface Collect {
  /** Where the caller writes pairs: arena[batchStart, batchEnd). Fixed until `finish`. */
  readonly batchStart: number;
  readonly batchEnd: number;
  /**
   * Take the pairs written to arena[batchStart, end). "full": some pairs, in order, may have been taken already; flush, then
   * call again with the same `end`, which goes on with the rest. After "taken" the batch is empty: write from batchStart.
   */
  addBatch(end: number): "taken" | "full";
  /**
   * With `sums`: takes each word of the text in arena[start, end), which lies within the batch's region while that holds no
   * pairs, as emitted with 1. "full": flush, and go on from `start`.
   */
  addWords(start: number, end: number, ends: WordEnds): WordsTaken;
  /** Line feeds in arena[start, end). */
  countLines(start: number, end: number): number;
  /**
   * A pair too large for the batch; `partition` only with an explicit partitioner. "full": flush and try again; on an empty
   * collect: it can't be held at all, the caller writes it as a run of its own (`placeLarge`).
   */
  addLarge(key: Uint8Array, value: Uint8Array, partition: number | undefined): "taken" | "full";
  /** Where a pair of this key goes, and counts it as emitted: for the pair that no arena holds. */
  placeLarge(
    key: Uint8Array,
    value: Uint8Array,
    partition: number | undefined,
  ): { readonly partition: number; readonly digest: bigint };
  /** Sort what is held (partition, key, emission; stable), fold equal keys, hand it out as blocks and forget it. */
  flush(sink: BlockSink): void;
  /** Pairs held now. */
  readonly held: number;
  /** Pairs taken since the beginning, plus `firstEmission`. */
  readonly emissions: number;
  readonly emissionDigest: bigint;
}

/** Takes blocks in (partition, key) order. */
export interface BlockSink {
  /**
   * The payload is bytes[start, end): whole pairs of one partition, valid during the call. `prefixBytes` is how many leading
   * bytes all their keys share; `digest` the sum of their pair digests.
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

/** One segment of a run, block by block. */
export interface BlockSource {
  /** Largest payload of its run, known from the footer. */
  readonly blockBytesMax: number;
  /** What all of it comes to at most, where that is known: pairs, and bytes of theirs. */
  readonly pairsMax?: number | undefined;
  readonly bytesMax?: number | undefined;
  /**
   * Read and verify the next block into target[at, …): its payload bytes, or 0 at the end. Synchronous. Throws `corrupt-run`.
   */
  read(target: Uint8Array, at: number): number;
  /** Called once when all is consumed: throws `corrupt-run` unless pairs and digest are what the footer says. */
  end(pairs: number, digest: bigint): void;
}

/** Merged pairs, block by block; always read to the end, so that every segment is verified. */
export interface MergeStream {
  /** The next block or undefined at the end; valid until the next call. */
  next(): PairBlock | undefined;
}

export interface PairBlock {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly pairs: number;
  readonly prefixBytes: number;
  readonly digest: bigint;
}

export interface KernelOptions {
  /** limits.arenaBytesMin to limits.arenaBytesMax, a multiple of 64 KiB. */
  readonly arenaBytes: number;
  /** Default limits.foldedBatchBytes, shrinking with small arenas; `batchEndOf` (layout.ts) says how much of it is used. */
  readonly batchBytes?: number;
  readonly blockBytes?: number;
}
