// The kernel in WebAssembly: one memory, initial = maximum, in which everything happens. This side only lays the memory
// out, passes results on, and calls folds, sinks and sources, which are outside code.

import { KiB } from "../base/limits.ts";
import type { BlockSource, Collect, CollectOptions, Kernel, KernelFold, KernelOptions, MergeStream } from "./kernel.ts";
import { checkMergeFits, type Layout, layoutOf, mergeFitsIn } from "./layout.ts";
import { boundariesUpTo } from "./partitioner.ts";
import { mayAggregate, WasmAggregate } from "./wasm-aggregate.ts";
import { WasmCollect, type WasmParts } from "./wasm-collect.ts";
import { type KernelExports, KernelState, kernelModule, wasm } from "./wasm-exports.ts";
import { WasmFold } from "./wasm-fold.ts";
import { WasmMerge } from "./wasm-merge.ts";

export function createWasmKernel(options: KernelOptions): Kernel {
  return new WasmKernel(layoutOf(options));
}

class WasmKernel implements Kernel {
  readonly arena: Uint8Array;
  readonly blockBytes: number;
  readonly #parts: WasmParts;
  /** The collect or merge that uses the arena now. */
  #current: object = {};
  /** The boundaries of the current collect, for the kernel to look up where they don't fit into the arena. */
  #boundaries: readonly Uint8Array[] = [];

  constructor(layout: Layout) {
    const pages = layout.arenaBytes / (64 * KiB);
    const memory = new wasm.Memory({ initial: pages, maximum: pages });
    const arena = new Uint8Array(memory.buffer);
    const fold = new WasmFold(arena);
    const imports = {
      memory,
      fold: (a: number, b: number, key: number, keyBytes: number) => fold.number(a, b, key, keyBytes),
      rangeOf: (key: number, keyBytes: number) => boundariesUpTo(this.#boundaries, arena.subarray(key, key + keyBytes)),
    };
    const instance = new wasm.Instance(kernelModule(), { env: imports });
    const kernel = instance.exports as KernelExports;
    this.arena = arena;
    this.blockBytes = layout.blockBytes;
    this.#parts = { arena, layout, kernel, state: new KernelState(arena), fold };
  }

  collect(options: CollectOptions): Collect {
    this.#boundaries = options.partitioner.kind === "range" ? options.partitioner.boundaries : [];
    return new WasmCollect(this.#parts, options, this.#begin());
  }

  merge(sources: readonly BlockSource[], fold: KernelFold | undefined): MergeStream {
    checkMergeFits(this.#parts.layout, sources);
    this.#parts.fold.set(fold, this.#parts.kernel);
    if (mayAggregate(this.#parts.layout, sources, fold)) return new WasmAggregate(this.#parts, sources, this.#begin());
    return new WasmMerge(this.#parts, sources, this.#begin());
  }

  mergeFits(sources: number, blockBytesMax: number): boolean {
    return mergeFitsIn(this.#parts.layout, sources, blockBytesMax);
  }

  #begin(): () => boolean {
    const mine = {};
    this.#current = mine;
    return () => this.#current === mine;
  }
}
