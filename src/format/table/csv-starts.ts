// Record starts of csv with line ends in quotes. A line feed ends a record only if the number of quotes before it is
// even, so the file is read from its start. But only that one bit is carried along, at memory speed.
import { asBuffer } from "../../base/bytes/bytes.ts";
import { hasOddQuotes, quote } from "../blocks/quotes.ts";

const lineFeed = 0x0a;

/** The first record start at or behind each wanted offset (ascending); `size` where there is none. */
export async function findQuotedStarts(
  chunks: AsyncIterable<Uint8Array>,
  wanted: readonly number[],
  size: number,
): Promise<readonly number[]> {
  const starts: number[] = [];
  while (starts.length < wanted.length && wanted[starts.length]! <= 0) starts.push(0);
  if (starts.length === wanted.length) return starts;
  let base = 0;
  let odd = false;
  for await (const bytes of chunks) {
    const chunk = asBuffer(bytes);
    for (let at = 0; at < chunk.length; ) {
      // A record that begins at `offset` is recognised by the line feed before it.
      const offset = wanted[starts.length]!;
      const target = Math.min(offset - 1 - base, chunk.length);
      if (at < target) {
        if (hasOddQuotes(chunk, at, target)) odd = !odd;
        at = target;
        continue;
      }
      const end = recordEnd(chunk, at, odd);
      odd = end.odd;
      at = end.at;
      if (!end.found) continue;
      while (starts.length < wanted.length && wanted[starts.length]! <= base + at) starts.push(base + at);
      if (starts.length === wanted.length) return starts;
    }
    base += chunk.length;
  }
  while (starts.length < wanted.length) starts.push(size);
  return starts;
}

/** The index behind the first line feed outside of quotes, or the end of the bytes. */
function recordEnd(
  bytes: Buffer,
  from: number,
  oddBefore: boolean,
): { readonly at: number; readonly odd: boolean; readonly found: boolean } {
  let odd = oddBefore;
  for (let i = from; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote) odd = !odd;
    else if (byte === lineFeed && !odd) return { at: i + 1, odd: false, found: true };
  }
  return { at: bytes.length, odd, found: false };
}
