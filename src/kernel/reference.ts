// The kernel in plain TypeScript. The WebAssembly kernel is compared with it, and it runs where WebAssembly doesn't. It
// keeps pairs as JavaScript objects, but computes "full" and refuses merges by the arena's arithmetic, so it spills as
// the other does.
import type { BlockSource, Collect, CollectOptions, Kernel, KernelFold, KernelOptions, MergeStream } from "./kernel.ts";
import { checkMergeFits, type Layout, layoutOf, mergeFitsIn } from "./layout.ts";
import { ReferenceCollect } from "./reference-collect.ts";
import { ReferenceMerge } from "./reference-merge.ts";

export function createReferenceKernel(options: KernelOptions): Kernel {
  return new ReferenceKernel(layoutOf(options));
}

class ReferenceKernel implements Kernel {
  readonly arena: Uint8Array;
  readonly blockBytes: number;
  readonly #layout: Layout;
  /** The collect or merge that uses the arena now. */
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
    return mergeFitsIn(this.#layout, sources, blockBytesMax);
  }

  #begin(): () => boolean {
    const mine = {};
    this.#current = mine;
    return () => this.#current === mine;
  }
}
