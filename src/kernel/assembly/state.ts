// What the host reads after a call, at fixed offsets of the arena's first 4 KiB (`wasm-exports.ts` has the same list).

export const EMISSION_DIGEST: usize = 64;
export const EMISSIONS: usize = 72; // f64
export const HELD: usize = 80; // u32
/** The batch has been taken up to this offset. */
export const TAKEN: usize = 84; // u32
/** The key that an error is about. */
export const ERROR_KEY: usize = 88; // u32 offset, u32 length

/** The block that is ready. */
export const BLOCK_START: usize = 96; // u32
export const BLOCK_END: usize = 100; // u32
export const BLOCK_PAIRS: usize = 104; // u32
export const BLOCK_PREFIX: usize = 108; // u32
export const BLOCK_PARTITION: usize = 112; // u32
export const BLOCK_DIGEST: usize = 120; // u64

/** Where the open block ends: the host writes folded pairs there. */
export const OPEN_END: usize = 128; // u32
/**
 * FOLD while flushing: sort records [from, to) of equal keys. While merging: key of the pending pair and the two
 * values.
 */
export const FOLD_FROM: usize = 132; // u32
export const FOLD_TO: usize = 136; // u32
export const KEY_AT: usize = 140; // u32
export const KEY_BYTES: usize = 144; // u32
export const LEFT_AT: usize = 148; // u32
export const LEFT_BYTES: usize = 152; // u32
export const RIGHT_AT: usize = 156; // u32
export const RIGHT_BYTES: usize = 160; // u32
/** The source that needs its next block. */
export const SOURCE: usize = 164; // u32
/** The end of a word that is too long to be taken. */
export const WORD_END: usize = 168; // u32
/**
 * Sums of bytes that were loaded only to have them in the processor's caches. They are stored, so that no compiler
 * leaves the loads out.
 */
export const TOUCHED: usize = 172; // u32
/** The source that is being aggregated: the sum of its pairs' digests (u64), and their number (f64). */
export const SOURCE_DIGEST: usize = 176;
export const SOURCE_PAIRS: usize = 184;

// Results of calls.
export const DONE = 0;
export const BLOCK = 1;
export const FOLD = 2;
export const NEED = 3;
export const SETTLE = 4;
export const FULL = 5;
export const LONG = 6;
/** Inside of the kernel: a value that the host has to fold. */
export const ODD = 7;
export const MALFORMED = -1;
export const BEYOND = -2;

export function failBeyond(key: usize, keyBytes: u32): i32 {
  store<u32>(ERROR_KEY, <u32>key);
  store<u32>(ERROR_KEY, keyBytes, 4);
  return BEYOND;
}
