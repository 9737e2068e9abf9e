import { assert } from "../base/assert.ts";
import { compareBytes } from "../base/bytes/bytes.ts";
import { type Halves, partitionOfHash, xxh64 } from "../base/bytes/xxh64.ts";
import { groupEnd } from "./group.ts";
import type { CollectOptions } from "./kernel.ts";

const half: Halves = { high: 0, low: 0 };

/** The partition of a pair with this key; `given` is what an explicit partitioner said. */
export function partitionOf(options: CollectOptions, key: Uint8Array, given: number | undefined): number {
  const { partitioner, group, partitions } = options;
  if (partitioner.kind === "explicit") {
    assert(given !== undefined && given < partitions, "an explicit partition is missing or out of range");
    return given;
  }
  const end = group === undefined ? key.length : groupEnd(key, 0, key.length, group);
  if (partitioner.kind === "range") return boundariesUpTo(partitioner.boundaries, key.subarray(0, end));
  xxh64(key, 0, end, 0, 0, half);
  return partitionOfHash(half.high, partitions);
}

/** How many boundaries are not above the key. */
export function boundariesUpTo(boundaries: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(boundaries[middle]!, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
