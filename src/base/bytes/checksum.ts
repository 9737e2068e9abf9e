import { crc32 } from "node:zlib";

/**
 * CRC-32 of `bytes`, continuing `before`. Node's own returns 0, not `before`, for an empty array that has no memory.
 */
export function crc32Of(bytes: Uint8Array, before = 0): number {
  return bytes.length === 0 ? before : crc32(bytes, before);
}
