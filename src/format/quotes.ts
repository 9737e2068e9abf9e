// Counting quotes: bytes without any are passed by `indexOf`, others are looked at 16 at a time in WebAssembly.
import { blockBytes } from "./block-reader.ts";
import { type JsonExports, jsonReader, places } from "./json-wasm.ts";

export const quote = 0x22;

/** What counts, and its memory; made when the first quote is seen. It keeps nothing between two calls. */
let counter: { readonly reader: JsonExports; readonly memory: Uint8Array } | undefined;

/** Whether bytes[from, to) hold an odd number of quotes. */
export function hasOddQuotes(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes.indexOf(quote, from);
  if (first < 0 || first >= to) return false;
  if (counter === undefined) {
    const reader = jsonReader();
    counter = { reader, memory: new Uint8Array(reader.memory.buffer) };
  }
  let odd = 0;
  for (let at = first; at < to; at += blockBytes) {
    const part = bytes.subarray(at, Math.min(to, at + blockBytes));
    counter.memory.set(part, places.block);
    odd ^= counter.reader.oddQuotes(places.block, places.block + part.length);
  }
  return odd === 1;
}
