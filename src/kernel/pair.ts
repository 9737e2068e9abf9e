// Pairs as bytes: the helpers that are not hot. `kernel.ts` defines the layout and the digests.
import { varintLength } from "../base/bytes/bytes.ts";
import { readF64 } from "../base/bytes/f64.ts";
import { type Halves, mask64, prime1, prime2, xxh64, xxh64Bigint } from "../base/bytes/xxh64.ts";
import { MillraceError } from "../base/error.ts";

const half: Halves = { high: 0, low: 0 };

/** The pair digest: XXH64 of the value, seeded with the key's hash. */
export function pairDigest(key: Uint8Array, value: Uint8Array): bigint {
  xxh64(key, 0, key.length, 0, 0, half);
  xxh64(value, 0, value.length, half.high, half.low, half);
  return (BigInt(half.high) << 32n) | BigInt(half.low);
}

/** What the pair emitted as number `index` adds to the emission digest. */
export function emissionTerm(key: Uint8Array, value: Uint8Array, partition: number, index: number): bigint {
  const seed = ((xxh64Bigint(key) + BigInt(index) * prime1) & mask64) ^ ((BigInt(partition) * prime2) & mask64);
  return xxh64Bigint(value, seed);
}

/** What a pair adds to the emission digest where only sums of whole numbers matter. */
export function sumTerm(key: Uint8Array, value: Uint8Array, partition: number): bigint {
  const seed = xxh64Bigint(key) ^ ((BigInt(partition) * prime2) & mask64);
  const number = BigInt(readF64(value, 0));
  const linear = (number * (seed | 1n)) & mask64;
  return number > 0n ? linear : (linear + xxh64Bigint(value, seed)) & mask64;
}

export function pairBytes(keyBytes: number, valueBytes: number): number {
  return varintLength(keyBytes) + varintLength(valueBytes) + keyBytes + valueBytes;
}

/** Writes a pair and returns the offset behind it. */
export function writePair(bytes: Uint8Array, at: number, key: Uint8Array, value: Uint8Array): number {
  const keyAt = writeVarint(bytes, writeVarint(bytes, at, key.length), value.length);
  bytes.set(key, keyAt);
  bytes.set(value, keyAt + key.length);
  return keyAt + key.length + value.length;
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128;
  bytes[at++] = rest;
  return at;
}

/** Offsets of a parsed pair: its key is at [keyStart, keyEnd), its value at [keyEnd, valueEnd). */
export interface PairAt {
  keyStart: number;
  keyEnd: number;
  valueEnd: number;
}

/** Parses the pair at `start`. Throws `corrupt-run` when it doesn't end by `end`. A varint has at most five bytes. */
export function parsePair(bytes: Uint8Array, start: number, end: number, into: PairAt): void {
  let at = start;
  const lengths = [0, 0];
  for (let which = 0; which < 2; which++) {
    let scale = 1;
    for (let count = 0; ; count++) {
      if (count === 5 || at >= end) throw corruptBlock();
      const byte = bytes[at++]!;
      lengths[which]! += (byte % 128) * scale;
      scale *= 128;
      if (byte < 128) break;
    }
  }
  into.keyStart = at;
  into.keyEnd = at + lengths[0]!;
  into.valueEnd = into.keyEnd + lengths[1]!;
  if (into.valueEnd > end) throw corruptBlock();
}

export function corruptBlock(): MillraceError {
  return new MillraceError(
    "corrupt-run",
    "a block of a run holds no whole pairs: the run is damaged and its map must run again",
  );
}

export function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a[at] === b[at]) at++;
  return at;
}
