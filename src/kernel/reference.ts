// The kernel in plain TypeScript: what the WebAssembly one is compared with, and what runs where WebAssembly doesn't. It keeps
// pairs as JavaScript objects, but is "full" and refuses merges by the arena's arithmetic, so it spills like the other.
import { MillraceError } from "../base/error.ts";
import type { BlockSource, Collect, CollectOptions, Kernel, KernelFold, KernelOptions, MergeStream } from "./kernel.ts";
import { type Layout, layoutOf, mergeBytes } from "./layout.ts";
import { ReferenceCollect } from "./reference-collect.ts";
import { ReferenceMerge } from "./reference-merge.ts";

export function createReferenceKernel(options: KernelOptions): Kernel {
  return new ReferenceKernel(layoutOf(options));
}

class ReferenceKernel implements Kernel {
  readonly arena: Uint8Array;
  readonly blockBytes: number;
  readonly #layout: Layout;
  /** What uses the arena now. */
  #current: object = {};

  constructor(layout: Layout) {
    this.arena = new Uint8Array(layout.arenaBytes);
    this.blockBytes = layout.blockBytes;
    this.#layout = layout;
  }

  collect(options: CollectOptions): Collect {
    return new ReferenceCollect(this.arena, this.#layout, options, this.#begin());
  }

  merge(sources: readonly BlockSource[], fold: KernelFold | undefined): MergeStream {
    checkMergeFits(this.#layout, sources);
    return new ReferenceMerge(sources, fold, this.blockBytes, this.#begin());
  }

  mergeFits(sources: number, blockBytesMax: number): boolean {
    return mergeBytes(this.#layout, sources, sources * blockBytesMax, blockBytesMax) <= this.#layout.arenaBytes;
  }

  #begin(): () => boolean {
    const mine = {};
    this.#current = mine;
    return () => this.#current === mine;
  }
}

/** Throws `over-limit` where the sources' blocks don't fit into the arena at once. */
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
