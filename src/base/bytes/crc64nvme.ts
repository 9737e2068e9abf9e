// CRC-64/NVME, which Amazon's store computes for each object that is uploaded without another checksum. It takes eight
// bytes at a time, with a table for each of them, as crc32c.ts does. It works in halves of 32 bits, as BigInt would be
// far slower.

/** The polynomial 0x9a6c9329ac4bc9b5, with its bits reflected. */
const polynomialHigh = 0x9a6c9329;
const polynomialLow = 0xac4bc9b5;

export interface Crc64 {
  readonly high: number;
  readonly low: number;
}

interface Tables {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** Built on first use: the tables for byte i of eight begin at 256 i. */
let tables: Tables | undefined;

function makeTables(): Tables {
  const high = new Uint32Array(8 * 256);
  const low = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let [h, l] = [0, byte];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (l & 1) !== 0;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (isOdd) {
        h ^= polynomialHigh;
        l ^= polynomialLow;
      }
    }
    high[byte] = h;
    low[byte] = l;
  }
  for (let at = 256; at < high.length; at++) {
    const [h, l] = [high[at - 256]!, low[at - 256]!];
    low[at] = ((l >>> 8) | (h << 24)) ^ low[l & 0xff]!;
    high[at] = (h >>> 8) ^ high[l & 0xff]!;
  }
  return { high, low };
}

/** CRC-64/NVME of `bytes`, continuing `before`. */
export function crc64nvmeOf(bytes: Uint8Array, before: Crc64 = { high: 0, low: 0 }): Crc64 {
  tables ??= makeTables();
  const { high: th, low: tl } = tables;
  let high = ~before.high;
  let low = ~before.low;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    low ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    high ^= bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    const a = 0x700 + (low & 0xff);
    const b = 0x600 + ((low >>> 8) & 0xff);
    const c = 0x500 + ((low >>> 16) & 0xff);
    const d = 0x400 + (low >>> 24);
    const e = 0x300 + (high & 0xff);
    const f = 0x200 + ((high >>> 8) & 0xff);
    const g = 0x100 + ((high >>> 16) & 0xff);
    const h = high >>> 24;
    low = tl[a]! ^ tl[b]! ^ tl[c]! ^ tl[d]! ^ tl[e]! ^ tl[f]! ^ tl[g]! ^ tl[h]!;
    high = th[a]! ^ th[b]! ^ th[c]! ^ th[d]! ^ th[e]! ^ th[f]! ^ th[g]! ^ th[h]!;
  }
  for (; at < bytes.length; at++) {
    const index = (low ^ bytes[at]!) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ tl[index]!;
    high = (high >>> 8) ^ th[index]!;
  }
  return { high: ~high >>> 0, low: ~low >>> 0 };
}
