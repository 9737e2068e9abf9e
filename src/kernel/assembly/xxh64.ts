// XXH64 (specification 0.1.1 of xxHash). Loads may run up to 7 bytes past the input: every region of the arena has
// slack.

export const P1: u64 = 0x9e3779b185ebca87;
export const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

// @ts-ignore
@inline
function round(accumulator: u64, lane: u64): u64 {
  return rotl<u64>(accumulator + lane * P2, 31) * P1;
}

// @ts-ignore
@inline
function avalanche(h: u64): u64 {
  h = (h ^ (h >> 33)) * P2;
  h = (h ^ (h >> 29)) * P3;
  return h ^ (h >> 32);
}

// @ts-ignore
@inline
function eight(h: u64, lane: u64): u64 {
  return rotl<u64>(h ^ round(0, lane), 27) * P1 + P4;
}

/** Hashes any input. */
export function xxh64(at: usize, length: u32, seed: u64): u64 {
  const end = at + length;
  let h: u64;
  if (length >= 32) {
    let a = seed + P1 + P2;
    let b = seed + P2;
    let c = seed;
    let d = seed - P1;
    const stop = end - 32;
    do {
      a = round(a, load<u64>(at));
      b = round(b, load<u64>(at, 8));
      c = round(c, load<u64>(at, 16));
      d = round(d, load<u64>(at, 24));
      at += 32;
    } while (at <= stop);
    h = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    h = (h ^ round(0, a)) * P1 + P4;
    h = (h ^ round(0, b)) * P1 + P4;
    h = (h ^ round(0, c)) * P1 + P4;
    h = (h ^ round(0, d)) * P1 + P4;
    h += <u64>length;
  } else {
    h = seed + P5 + <u64>length;
  }
  // Lengths of values repeat more often than not, so branches are right here.
  for (; at + 8 <= end; at += 8) h = eight(h, load<u64>(at));
  if (at + 4 <= end) {
    h = rotl<u64>(h ^ (<u64>load<u32>(at) * P1), 23) * P2 + P3;
    at += 4;
  }
  for (; at < end; at++) h = rotl<u64>(h ^ (<u64>load<u8>(at) * P5), 11) * P1;
  return avalanche(h);
}

/** Hashes an input of less than 32 bytes, in line. */
// @ts-ignore
@inline
export function xxh64Short(at: usize, length: u32, seed: u64): u64 {
  return finish(seed + P5 + <u64>length, at, length);
}

/** Hashes one 8-byte word, in line. */
// @ts-ignore
@inline
export function xxh64Word(word: u64, seed: u64): u64 {
  return avalanche(eight(seed + P5 + 8, word));
}

/** Hashes an 8-byte word and the byte behind it, in line. */
// @ts-ignore
@inline
export function xxh64Nine(at: usize, seed: u64): u64 {
  const h = eight(seed + P5 + 9, load<u64>(at));
  return avalanche(rotl<u64>(h ^ (<u64>load<u8>(at, 8) * P5), 11) * P1);
}

// Without branches on the length where it is under 16: lengths of words are hard to predict, and a wrong guess costs
// more than the steps that are not needed.
// @ts-ignore
@inline
function finish(h: u64, at: usize, length: u32): u64 {
  while (length >= 16) {
    h = eight(h, load<u64>(at));
    at += 8;
    length -= 8;
  }
  h = select<u64>(eight(h, load<u64>(at)), h, length >= 8);
  let w = load<u64>(at + (length & 8));
  const four = length & 4;
  h = select<u64>(rotl<u64>(h ^ ((w & 0xffffffff) * P1), 23) * P2 + P3, h, four != 0);
  w = select<u64>(w >> 32, w, four != 0);
  const rest = length & 3;
  h = select<u64>(rotl<u64>(h ^ ((w & 0xff) * P5), 11) * P1, h, rest != 0);
  h = select<u64>(rotl<u64>(h ^ (((w >> 8) & 0xff) * P5), 11) * P1, h, rest > 1);
  h = select<u64>(rotl<u64>(h ^ (((w >> 16) & 0xff) * P5), 11) * P1, h, rest > 2);
  return avalanche(h);
}
