// Pairs as they lie in the kernel's batch (kernel.ts): varint lengths, key, value; before them the partition, as u32
// little-endian, where the job's own function chooses it.

/** Bytes in front of each pair where the job's own function chooses the partition; otherwise there are none. */
export const partitionBytes = 4;

/** The offsets of key, value and end of the framed pair at `from`. */
export function readFrame(
  pairs: Uint8Array,
  from: number,
  header: number,
): { readonly key: number; readonly value: number; readonly end: number } {
  let at = from + header;
  const lengths = [0, 0];
  for (let part = 0; part < 2; part++) {
    let scale = 1;
    for (;;) {
      const byte = pairs[at++]!;
      lengths[part]! += (byte & 127) * scale;
      if (byte < 128) break;
      scale *= 128;
    }
  }
  return { key: at, value: at + lengths[0]!, end: at + lengths[0]! + lengths[1]! };
}

/** A view that is not a Buffer, whose `slice` does not copy. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

export function readPartition(pairs: Uint8Array, at: number): number {
  return (pairs[at]! | (pairs[at + 1]! << 8) | (pairs[at + 2]! << 16) | (pairs[at + 3]! << 24)) >>> 0;
}
