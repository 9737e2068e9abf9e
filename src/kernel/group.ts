import type { PartShape } from "./kernel.ts";

/** End of the grouping prefix of the tuple key bytes[start, end). The prefix has as many parts as there are shapes. */
export function groupEnd(bytes: Uint8Array, start: number, end: number, shapes: readonly PartShape[]): number {
  let at = start;
  for (const shape of shapes) {
    if (typeof shape === "number") at = Math.min(at + shape, end);
    else at = terminated(bytes, at, end, shape === "ascending" ? 0x00 : 0xff);
  }
  return at;
}

/** Offset behind the two marks that end a part; a mark followed by anything else is an escaped byte of the part. */
function terminated(bytes: Uint8Array, start: number, end: number, mark: number): number {
  let at = start;
  while (at < end) {
    if (bytes[at] !== mark) at++;
    else if (at + 1 < end && bytes[at + 1] === mark) return at + 2;
    else at += 2;
  }
  return end;
}
