import type { Kernel, KernelOptions } from "./kernel.ts";
import { createReferenceKernel } from "./reference.ts";
import { createWasmKernel } from "./wasm.ts";

/** Both kinds give the same bytes. "reference" is ten to a hundred times slower; it is there to compare with. */
export type KernelKind = "wasm" | "reference";

/** Creates the kernel of a slot: one arena for all its collecting and merging. */
export function createKernel(options: KernelOptions, kind: KernelKind = "wasm"): Kernel {
  return kind === "wasm" ? createWasmKernel(options) : createReferenceKernel(options);
}
