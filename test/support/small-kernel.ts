import { createKernel, type KernelKind } from "../../src/kernel/create-kernel.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";

/**
 * A kernel that merges at most `fanIn` sources at once, and no block of more than `blockBytesMax`: many passes on
 * little data.
 */
export function smallKernel(
  fanIn: number,
  { blockBytes = 128, blockBytesMax = Number.POSITIVE_INFINITY, batchBytes = 1024, kind = "wasm" as KernelKind } = {},
): Kernel & { readonly merges: number[] } {
  const name = `${kind} ${blockBytes} ${batchBytes}`;
  const kernel = kernels.get(name) ?? createKernel({ arenaBytes: 1024 * 1024, blockBytes, batchBytes }, kind);
  kernels.set(name, kernel);
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

/** One of each is enough, as a test does one thing at a time. */
const kernels = new Map<string, Kernel>();
