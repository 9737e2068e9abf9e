// How an arena is divided. Both kernels use the same numbers, so they refuse merges at the same sizes and spill at
// similar ones.
//
//   collect:  state | batch | block | boundaries | partition counts | pool → … ← table, later sort records
//   merge:    state | block (at least the largest of the inputs) | one input block per source
import { assert } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import { KiB, limits } from "../base/limits.ts";
import type { BlockSource, KernelFold, KernelOptions } from "./kernel.ts";

/** Counters and pointers of the WebAssembly kernel, and a gap that contains no valid offset. */
export const stateBytes = 4 * KiB;
/** The kernel loads and stores up to 16 bytes past what it uses, so every region ends with this many spare bytes. */
export const slackBytes = 64;
/** What a held pair takes besides its bytes: its partition in the pool, and two 16-byte records during the sort. */
export const heldBytes = 2 + 32;
/** What a source of a merge takes besides its block. */
export const sourceBytes = 128 + slackBytes;

export interface Layout {
  readonly arenaBytes: number;
  readonly blockBytes: number;
  readonly batchStart: number;
  readonly batchEnd: number;
  readonly blockStart: number;
  /** The first offset behind the block and its slack. */
  readonly freeStart: number;
}

/**
 * Divides an arena. Small arenas get smaller batches (a 32nd) and blocks (a 128th, so that 64 sources fit into a merge
 * in any arena).
 */
export function layoutOf(options: KernelOptions): Layout {
  const { arenaBytes } = options;
  assert(arenaBytes >= limits.arenaBytesMin && arenaBytes <= limits.arenaBytesMax, "arenaBytes out of range");
  assert(arenaBytes % (64 * KiB) === 0, "arenaBytes is not a multiple of 64 KiB");
  const batchBytes = align(options.batchBytes ?? Math.min(limits.foldedBatchBytes, arenaBytes / 32));
  const blockBytes = options.blockBytes ?? Math.min(limits.blockBytes, arenaBytes / 128);
  assert(batchBytes >= 64 && batchBytes + blockBytes <= arenaBytes / 4, "batch and block take more than a quarter");
  assert(blockBytes >= 64, "blockBytes is too small");
  const batchStart = stateBytes;
  const blockStart = batchStart + batchBytes + slackBytes;
  const freeStart = align(blockStart + blockBytes + slackBytes);
  return { arenaBytes, blockBytes, batchStart, batchEnd: batchStart + batchBytes, blockStart, freeStart };
}

/**
 * Where a collect's batch ends. Where pairs are copied out of it the batch is smaller, so that it is still in a cache
 * then.
 */
export function batchEndOf({ batchStart, batchEnd }: Layout, fold: KernelFold | undefined): number {
  const isInTable = fold?.on === "f64" || fold?.columns !== undefined;
  return isInTable ? batchEnd : Math.min(batchEnd, batchStart + limits.batchBytes);
}

/** Bytes that a merge of these sources needs. */
function mergeBytes(layout: Layout, sources: number, sumOfBlocks: number, largestBlock: number): number {
  const block = align(Math.max(layout.blockBytes, largestBlock) + slackBytes);
  return stateBytes + block + sources * (sourceBytes + 16) + sumOfBlocks;
}

/** Whether a merge of this many sources, each with blocks of at most this many bytes, fits. */
export function mergeFitsIn(layout: Layout, sources: number, blockBytesMax: number): boolean {
  return mergeBytes(layout, sources, sources * blockBytesMax, blockBytesMax) <= layout.arenaBytes;
}

/** Throws `over-limit` where the sources' blocks don't fit into the arena together. */
export function checkMergeFits(layout: Layout, sources: readonly BlockSource[]): void {
  let sum = 0;
  let largest = 0;
  for (const source of sources) {
    sum += source.blockBytesMax;
    largest = Math.max(largest, source.blockBytesMax);
  }
  const needed = mergeBytes(layout, sources.length, sum, largest);
  if (needed <= layout.arenaBytes) return;
  const message = `merging ${sources.length} sources needs ${needed} bytes, the arena has ${layout.arenaBytes}: merge fewer at once`;
  throw new MillraceError("over-limit", message);
}

export function align(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}
