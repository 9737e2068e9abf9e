// Comparing, copying and reading bytes. All of these may touch up to 15 bytes past what they are asked for.

/** Copies forward in 16-byte steps; writes up to 15 bytes more. Regions don't overlap. */
// @ts-ignore
@inline
export function copy(to: usize, from: usize, length: u32): void {
  if (length > 1024) {
    memory.copy(to, from, length);
    return;
  }
  const end = to + length;
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
}

/**
 * The first 8 of `length` bytes as a big-endian number, with zeros where there are fewer: its order is that of the
 * bytes.
 */
// @ts-ignore
@inline
export function head(at: usize, length: i32): u64 {
  if (length <= 0) return 0;
  const word = bswap<u64>(load<u64>(at));
  return length >= 8 ? word : word & (<u64>-1 << (<u64>(64 - (length << 3))));
}

/** Whether two strings of the same length are equal. */
// @ts-ignore
@inline
export function same(a: usize, b: usize, length: u32): bool {
  while (length > 16) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
    a += 16;
    b += 16;
    length -= 16;
  }
  // The bytes that count, without a branch on how many: lengths of words can't be predicted.
  const counts = i8x16.lt_u(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>length));
  return !v128.any_true(v128.and(v128.xor(v128.load(a), v128.load(b)), counts));
}

/**
 * Negative, 0 or positive; the first `from` bytes are known to be equal (a key shorter than that counts by its length).
 */
export function compare(a: usize, aLength: u32, b: usize, bLength: u32, from: u32): i32 {
  const least = min(aLength, bLength);
  let i = from;
  for (; i + 8 <= least; i += 8) {
    const x = load<u64>(a + i);
    const y = load<u64>(b + i);
    if (x != y) return bswap<u64>(x) < bswap<u64>(y) ? -1 : 1;
  }
  if (i < least) {
    const x = head(a + i, <i32>(least - i));
    const y = head(b + i, <i32>(least - i));
    if (x != y) return x < y ? -1 : 1;
  }
  return <i32>aLength - <i32>bLength;
}

/** How many leading bytes two strings share, at most `limit`; the first `from` are known to be equal. */
export function shared(a: usize, b: usize, from: u32, limit: u32): u32 {
  let i = from;
  for (; i < limit; i += 8) {
    const difference = load<u64>(a + i) ^ load<u64>(b + i);
    if (difference != 0) return min(limit, i + (<u32>ctz<u64>(difference) >> 3));
  }
  return limit;
}

// Numbers as values: 8 bytes, big-endian, sign flipped (`base/bytes/f64.ts`).

// @ts-ignore
@inline
export function decodeNumber(word: u64): f64 {
  const bits = bswap<u64>(word);
  return reinterpret<f64>(bits ^ (<u64>(<i64>~bits >> 63) | 0x8000000000000000));
}

// @ts-ignore
@inline
export function encodeNumber(value: f64): u64 {
  const bits = reinterpret<u64>(value + 0.0); // -0 + 0 is 0
  return bswap<u64>(bits ^ (<u64>(<i64>bits >> 63) | 0x8000000000000000));
}

// Varints. `readVarint` leaves the offset behind it in `varintEnd`, or 0 there for one that is malformed: more than 32
// bits, or running past `end`.

export let varintEnd: usize = 0;

/** Writes a varint and returns the offset behind it. */
export function writeVarint(at: usize, value: u32): usize {
  for (; value >= 0x80; value >>= 7) store<u8>(at++, <u8>(value | 0x80));
  store<u8>(at++, <u8>value);
  return at;
}

export function readVarint(at: usize, end: usize): u32 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 35; shift += 7) {
    if (at >= end) break;
    const byte = load<u8>(at++);
    value |= <u64>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintEnd = value >> 32 == 0 ? at : 0;
      return <u32>value;
    }
  }
  varintEnd = 0;
  return 0;
}
