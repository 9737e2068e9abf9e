// Counting quotes: bytes without any are passed by `indexOf`, others are looked at four at a time.

export const quote = 0x22;

/** Whether bytes[from, to) hold an odd number of quotes. */
export function hasOddQuotes(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes.indexOf(quote, from);
  if (first < 0 || first >= to) return false;
  let odd = 0;
  let at = first;
  for (; at < to && (bytes.byteOffset + at) % 4 !== 0; at++) if (bytes[at] === quote) odd ^= 1;
  if (at === to) return odd === 1;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (to - at) >> 2);
  // The parity of all marks is that of their exclusive or. A byte of `marks` is 80 where the byte is a quote, else 00.
  let all = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]! ^ 0x22222222;
    all ^= ~(((word & 0x7f7f7f7f) + 0x7f7f7f7f) | word | 0x7f7f7f7f);
  }
  for (at += words.length * 4; at < to; at++) if (bytes[at] === quote) odd ^= 1;
  all ^= all >>> 16;
  all ^= all >>> 8;
  return ((all >>> 7) & 1) !== odd;
}
