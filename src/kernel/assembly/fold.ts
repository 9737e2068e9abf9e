// Folding numbers, by a built-in fold or by a user's function.

export const NONE = 0;
export const SUM = 1;
export const MIN = 2;
export const MAX = 3;
export const USER = 4;
export const BYTES = 5;

/**
 * Calls the user's function; the key is for its error. When it throws, the error passes through, and the collect or
 * merge is over.
 */
// @ts-ignore
@external("env", "fold")
export declare function userFold(a: f64, b: f64, key: usize, keyBytes: u32): f64;

/** One of the above; `isNumbers` for all but NONE and BYTES. */
export let kind: i32 = NONE;
export let isNumbers: bool = false;
/** Largest magnitude that a sum may have: 2^53-1 for integers, infinity for others. NaN is beyond both. */
export let sumMax: f64 = 0;

export function setFold(newKind: i32, integers: bool): void {
  kind = newKind;
  isNumbers = newKind != NONE && newKind != BYTES;
  sumMax = integers ? <f64>9007199254740991 : Infinity;
}

// @ts-ignore
@inline
export function foldNumbers(a: f64, b: f64, key: usize, keyBytes: u32): f64 {
  if (kind == SUM) return a + b;
  if (kind == MIN) return b < a ? b : a;
  if (kind == MAX) return b > a ? b : a;
  return userFold(a, b, key, keyBytes);
}

/**
 * Whether the value's type can't hold a fold's result. (The results of a user's function are checked where it is
 * called.)
 */
// @ts-ignore
@inline
export function isBeyond(value: f64): bool {
  return kind == SUM && !(abs<f64>(value) <= sumMax);
}
