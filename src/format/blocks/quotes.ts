// Counts quotes and carriage returns. `indexOf` skips bytes without any; others are looked at 16 at a time in
// WebAssembly.

import { type JsonExports, jsonReader, places } from "../json/wasm.ts";
import { blockBytes } from "./block.ts";

export const quote = 0x22;

/** The counter and its memory, created when the first quote or return is seen. It keeps nothing between two calls. */
let counter: { readonly reader: JsonExports; readonly memory: Uint8Array } | undefined;

function newCounter(): NonNullable<typeof counter> {
  const reader = jsonReader();
  return { reader, memory: new Uint8Array(reader.memory.buffer) };
}

/** Whether the bytes contain a carriage return that no line feed follows; the last byte may be one. */
export function hasLoneReturn(bytes: Buffer): boolean {
  const first = bytes.indexOf(13);
  if (first < 0) return false;
  const { reader, memory } = (counter ??= newCounter());
  for (let at = first; at < bytes.length; at += blockBytes) {
    // One byte more than is searched: it may be the line feed that belongs to the last carriage return.
    const part = bytes.subarray(at, Math.min(bytes.length, at + blockBytes) + 1);
    const end = places.block + Math.min(part.length, blockBytes);
    memory.set(part, places.block);
    if (part.length <= blockBytes) memory[places.block + part.length] = 0;
    if (reader.loneReturn(places.block, end)) return true;
  }
  return false;
}

/** Whether bytes[from, to) contain an odd number of quotes. */
export function hasOddQuotes(bytes: Buffer, from: number, to: number): boolean {
  const first = bytes.indexOf(quote, from);
  if (first < 0 || first >= to) return false;
  const { reader, memory } = (counter ??= newCounter());
  let odd = 0;
  for (let at = first; at < to; at += blockBytes) {
    const part = bytes.subarray(at, Math.min(to, at + blockBytes));
    memory.set(part, places.block);
    odd ^= reader.oddQuotes(places.block, places.block + part.length);
  }
  return odd === 1;
}
