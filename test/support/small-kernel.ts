import type { Kernel } from "../../src/kernel/kernel.ts";
import { createReferenceKernel } from "../../src/kernel/reference.ts";

/** A kernel that merges at most `fanIn` sources at once, and no block of more than `blockBytesMax`: many passes on little data. */
export function smallKernel(
  fanIn: number,
  { blockBytes = 128, blockBytesMax = Number.POSITIVE_INFINITY, batchBytes = 1024 } = {},
): Kernel & { readonly merges: number[] } {
  const kernel = createReferenceKernel({ arenaBytes: 1024 * 1024, blockBytes, batchBytes });
  const merges: number[] = [];
  return {
    merges,
    arena: kernel.arena,
    blockBytes: kernel.blockBytes,
    collect: (options) => kernel.collect(options),
    merge(sources, fold) {
      merges.push(sources.length);
      if (sources.length > fanIn) throw new Error(`${sources.length} sources are too many`);
      return kernel.merge(sources, fold);
    },
    mergeFits: (sources, largest) => sources <= fanIn && largest <= blockBytesMax && kernel.mergeFits(sources, largest),
  };
}
