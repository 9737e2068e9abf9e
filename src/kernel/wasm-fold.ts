import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { checkResult, integersLost, notANumber } from "./fold.ts";
import type { KernelFold } from "./kernel.ts";
import { columnKinds, folding, type KernelExports } from "./wasm-exports.ts";

/** The user's side of folding: the function that the kernel calls back, and the errors that the kernel can't word. */
export class WasmFold {
  readonly #arena: Uint8Array;
  #fold: KernelFold | undefined;
  #call: (a: number, b: number) => number = neverCalled;
  #integers = false;

  constructor(arena: Uint8Array) {
    this.#arena = arena;
  }

  set(fold: KernelFold | undefined, kernel: KernelExports): void {
    this.#fold = fold;
    this.#integers = fold?.on === "f64" && fold.integers;
    this.#call = fold?.on === "f64" && typeof fold.by === "function" ? fold.by : neverCalled;
    kernel.setFold(kindOf(fold), this.#integers ? 1 : 0);
    const columns = (fold?.on === "bytes" ? fold.columns : undefined) ?? [];
    assert(columns.length <= limits.kernelColumnsMax, "a fold has more columns than the kernel takes");
    kernel.setColumns(
      columns.length,
      columns.reduce((kinds, column, i) => kinds | (columnKinds[column] << (2 * i)), 0),
    );
  }

  /** Called by the kernel for every pair, so the check that nearly always passes comes first. */
  number(a: number, b: number, key: number, keyBytes: number): number {
    const folded = this.#call(a, b);
    if (typeof folded === "number" && (this.#integers ? Number.isSafeInteger(folded) : !Number.isNaN(folded)))
      return folded;
    return checkResult(folded, this.#integers, () => this.#arena.subarray(key, key + keyBytes));
  }

  bytes(a: Uint8Array, b: Uint8Array): Uint8Array {
    if (this.#fold?.on !== "bytes") throw new Error("millrace bug: no fold of bytes is set");
    return this.#fold.by(a, b);
  }

  /** What a fold of bytes has come to, when the run of equal keys has ended. */
  settled(folded: Uint8Array): Uint8Array {
    return this.#fold?.on === "bytes" && this.#fold.settle !== undefined ? this.#fold.settle(folded) : folded;
  }

  /** The error for a built-in sum that its values' type can't hold. */
  beyond(key: Uint8Array): Error {
    return this.#integers ? integersLost("sum", key) : notANumber("sum", Number.NaN, key);
  }
}

function kindOf(fold: KernelFold | undefined): number {
  if (fold === undefined) return folding.none;
  if (fold.on === "bytes") return folding.bytes;
  return typeof fold.by === "function" ? folding.user : folding[fold.by];
}

function neverCalled(): number {
  throw new Error("millrace bug: no fold of numbers is set");
}
