import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { readF64, writeF64 } from "../../base/bytes/f64.ts";

const scratch = new Uint8Array(8);

/** Writes 8 bytes in numeric order. */
export function writeDouble(value: number, out: ByteWriter): void {
  writeF64(scratch, 0, value);
  out.writeBytes(scratch);
}

export function readDouble(bytes: Uint8Array): number {
  return readF64(bytes, 0);
}
