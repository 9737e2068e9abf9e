import type { Kernel, KernelOptions } from "./kernel.ts";
import { createReferenceKernel } from "./reference.ts";

export type KernelKind = "wasm" | "reference";

/** The kernel of a slot: one arena for all its collecting and merging. */
export function createKernel(options: KernelOptions, _kind: KernelKind = "wasm"): Kernel {
  return createReferenceKernel(options);
}
