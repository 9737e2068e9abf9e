const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/**
 * Writes a number as 8 bytes whose unsigned order is the numeric order: big-endian, with the sign bit flipped, and all
 * bits flipped for negative numbers. -0 is written as 0. `uint`, `int` and `float64` use it for keys and for values.
 */
export function writeF64(bytes: Uint8Array, at: number, value: number): void {
  double[0] = value + 0; // -0 + 0 is 0
  let high = words[1]!;
  let low = words[0]!;
  if (high & 0x80000000) {
    high = ~high;
    low = ~low;
  } else {
    high ^= 0x80000000;
  }
  bytes[at] = high >>> 24;
  bytes[at + 1] = high >>> 16;
  bytes[at + 2] = high >>> 8;
  bytes[at + 3] = high;
  bytes[at + 4] = low >>> 24;
  bytes[at + 5] = low >>> 16;
  bytes[at + 6] = low >>> 8;
  bytes[at + 7] = low;
}

export function readF64(bytes: Uint8Array, at: number): number {
  let high = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  let low = (bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!;
  if (high & 0x80000000) {
    high ^= 0x80000000;
  } else {
    high = ~high;
    low = ~low;
  }
  words[1] = high;
  words[0] = low;
  return double[0]!;
}
