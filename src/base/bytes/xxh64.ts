// XXH64 (Yann Collet, github.com/Cyan4973/xxHash, specification 0.1.1) on 32-bit halves: a BigInt per step would cost
// an allocation each. The kernel's WebAssembly computes the same; this one serves the reference kernel, footers and
// tests.

/** A 64-bit number as two unsigned 32-bit halves. */
export interface Halves {
  high: number;
  low: number;
}

// The five primes, high half and low half.
const p1h = 0x9e3779b1;
const p1l = 0x85ebca87;
const p2h = 0xc2b2ae3d;
const p2l = 0x27d4eb4f;
const p3h = 0x165667b1;
const p3l = 0x9e3779f9;
const p4h = 0x85ebca77;
const p4l = 0xc2b2ae63;
const p5h = 0x27d4eb2f;
const p5l = 0x165667c5;

/** PRIME64_1 and PRIME64_2, which also mix the seeds of emission terms. */
export const prime1: bigint = (BigInt(p1h) << 32n) | BigInt(p1l);
export const prime2: bigint = (BigInt(p2h) << 32n) | BigInt(p2l);
export const mask64 = 0xffff_ffff_ffff_ffffn;

// The accumulator that the steps below work on; nothing here is re-entrant, and nothing calls out.
let high = 0;
let low = 0;

/** (high, low) *= (bh, bl) mod 2^64. The low product goes by 16-bit halves, in doubles, which hold 53 bits exactly. */
function multiply(bh: number, bl: number): void {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = bl & 0xffff;
  const b1 = bl >>> 16;
  const middle = a0 * b1 + a1 * b0 + Math.floor((a0 * b0) / 65536);
  const carry = a1 * b1 + Math.floor(middle / 65536);
  high = (carry + Math.imul(high, bl) + Math.imul(low, bh)) >>> 0;
  low = Math.imul(low, bl) >>> 0;
}

function add(bh: number, bl: number): void {
  const sum = low + bl;
  high = (high + bh + (sum > 0xffffffff ? 1 : 0)) >>> 0;
  low = sum >>> 0;
}

/** Rotate left by 0 < bits < 32. */
function rotate(bits: number): void {
  const h = high;
  high = ((h << bits) | (low >>> (32 - bits))) >>> 0;
  low = ((low << bits) | (h >>> (32 - bits))) >>> 0;
}

/** One lane's step: (high, low) becomes rotl(acc + lane * P2, 31) * P1, where (high, low) comes in as the lane. */
function round(accumulatorHigh: number, accumulatorLow: number): void {
  multiply(p2h, p2l);
  add(accumulatorHigh, accumulatorLow);
  rotate(31);
  multiply(p1h, p1l);
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** The four accumulators, high and low in turn. */
const lanes = new Uint32Array(8);

function stripes(bytes: Uint8Array, start: number, stop: number, seedHigh: number, seedLow: number): void {
  high = seedHigh;
  low = seedLow;
  add(p1h, p1l);
  add(p2h, p2l);
  lanes[0] = high;
  lanes[1] = low;
  high = seedHigh;
  low = seedLow;
  add(p2h, p2l);
  lanes[2] = high;
  lanes[3] = low;
  lanes[4] = seedHigh;
  lanes[5] = seedLow;
  high = seedHigh;
  low = seedLow;
  add(~p1h >>> 0, (~p1l + 1) >>> 0); // minus P1; its low half is not 0, so the negation carries nothing
  lanes[6] = high;
  lanes[7] = low;
  for (let at = start; at < stop; at += 32) {
    for (let lane = 0; lane < 4; lane++) {
      low = word(bytes, at + lane * 8);
      high = word(bytes, at + lane * 8 + 4);
      round(lanes[lane * 2]!, lanes[lane * 2 + 1]!);
      lanes[lane * 2] = high;
      lanes[lane * 2 + 1] = low;
    }
  }
  let sumHigh = 0;
  let sumLow = 0;
  for (let lane = 0; lane < 4; lane++) {
    high = lanes[lane * 2]!;
    low = lanes[lane * 2 + 1]!;
    rotate(lane === 0 ? 1 : lane === 1 ? 7 : lane === 2 ? 12 : 18);
    add(sumHigh, sumLow);
    sumHigh = high;
    sumLow = low;
  }
  for (let lane = 0; lane < 4; lane++) {
    high = lanes[lane * 2]!;
    low = lanes[lane * 2 + 1]!;
    round(0, 0);
    high = (high ^ sumHigh) >>> 0;
    low = (low ^ sumLow) >>> 0;
    multiply(p1h, p1l);
    add(p4h, p4l);
    sumHigh = high;
    sumLow = low;
  }
}

/** XXH64 of bytes[start, end) with the seed (seedHigh, seedLow), into `out`. */
export function xxh64(
  bytes: Uint8Array,
  start: number,
  end: number,
  seedHigh: number,
  seedLow: number,
  out: Halves,
): void {
  const length = end - start;
  let at = start;
  if (length >= 32) {
    at = end - (length % 32);
    stripes(bytes, start, at, seedHigh, seedLow);
  } else {
    high = seedHigh;
    low = seedLow;
    add(p5h, p5l);
  }
  add(Math.floor(length / 4294967296), length >>> 0);
  for (; at + 8 <= end; at += 8) {
    const h = high;
    const l = low;
    low = word(bytes, at);
    high = word(bytes, at + 4);
    round(0, 0);
    high = (high ^ h) >>> 0;
    low = (low ^ l) >>> 0;
    rotate(27);
    multiply(p1h, p1l);
    add(p4h, p4l);
  }
  if (at + 4 <= end) {
    const h = high;
    const l = low;
    low = word(bytes, at);
    high = 0;
    multiply(p1h, p1l);
    high = (high ^ h) >>> 0;
    low = (low ^ l) >>> 0;
    rotate(23);
    multiply(p2h, p2l);
    add(p3h, p3l);
    at += 4;
  }
  for (; at < end; at++) {
    const h = high;
    const l = low;
    low = bytes[at]!;
    high = 0;
    multiply(p5h, p5l);
    high = (high ^ h) >>> 0;
    low = (low ^ l) >>> 0;
    rotate(11);
    multiply(p1h, p1l);
  }
  avalanche();
  out.high = high;
  out.low = low;
}

function avalanche(): void {
  low = (low ^ (high >>> 1)) >>> 0; // h ^= h >> 33
  multiply(p2h, p2l);
  low = (low ^ ((high << 3) | (low >>> 29))) >>> 0; // h ^= h >> 29
  high = (high ^ (high >>> 29)) >>> 0;
  multiply(p3h, p3l);
  low = (low ^ high) >>> 0; // h ^= h >> 32
}

const scratch: Halves = { high: 0, low: 0 };

/** XXH64 of all of `bytes` as a bigint, for places that are not hot. */
export function xxh64Bigint(bytes: Uint8Array, seed = 0n): bigint {
  xxh64(bytes, 0, bytes.length, Number((seed >> 32n) & 0xffffffffn), Number(seed & 0xffffffffn), scratch);
  return (BigInt(scratch.high) << 32n) | BigInt(scratch.low);
}

/**
 * The partition of a key whose hash has this high half: floor(high * partitions / 2^32), exact in doubles (46 bits at
 * most). `>>` would be right only for powers of two.
 */
export function partitionOfHash(hashHigh: number, partitions: number): number {
  return Math.floor((hashHigh * partitions) / 4294967296);
}
