import type { Kernel, KernelOptions } from "../../src/kernel/kernel.ts";
import { collectConformance } from "./kernel-collect.ts";
import { columnsConformance } from "./kernel-columns.ts";
import { exactConformance } from "./kernel-exact.ts";
import { foldConformance } from "./kernel-fold.ts";
import { mergeConformance } from "./kernel-merge.ts";
import { sumsConformance } from "./kernel-sums.ts";
import { wordsConformance } from "./kernel-words.ts";

/** What every kernel must do; run by each implementation's own test. */
export function kernelConformance(create: (options: KernelOptions) => Kernel): void {
  collectConformance(create);
  foldConformance(create);
  columnsConformance(create);
  exactConformance(create);
  mergeConformance(create);
  sumsConformance(create);
  wordsConformance(create);
}
