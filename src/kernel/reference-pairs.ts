// Pairs in JavaScript memory, and what the reference kernel's collects and merges share: folding equal keys and packing
// blocks.
import { equalBytes } from "../base/bytes/bytes.ts";
import { readF64, writeF64 } from "../base/bytes/f64.ts";
import { mask64 } from "../base/bytes/xxh64.ts";
import { foldNumbers } from "./fold.ts";
import type { KernelFold, PairBlock } from "./kernel.ts";
import { corruptBlock, pairBytes, pairDigest, sharedPrefix, writePair } from "./pair.ts";

export interface Pair {
  readonly partition: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Folds neighbours with equal keys of one partition, from left to right. */
export function* foldRuns(pairs: Iterable<Pair>, fold: KernelFold | undefined): Generator<Pair> {
  let held: Pair | undefined;
  let isFolded = false;
  for (const pair of pairs) {
    if (fold?.on === "f64" && pair.value.length !== 8) throw corruptBlock();
    if (held === undefined) held = pair;
    else if (fold !== undefined && held.partition === pair.partition && equalBytes(held.key, pair.key)) {
      held = { ...held, value: foldValues(fold, held.key, held.value, pair.value) };
      isFolded = true;
    } else {
      yield isFolded ? settled(fold, held) : held;
      held = pair;
      isFolded = false;
    }
  }
  if (held !== undefined) yield isFolded ? settled(fold, held) : held;
}

function settled(fold: KernelFold | undefined, pair: Pair): Pair {
  if (fold?.on !== "bytes" || fold.settle === undefined) return pair;
  return { ...pair, value: fold.settle(pair.value).slice() };
}

function foldValues(fold: KernelFold, key: Uint8Array, a: Uint8Array, b: Uint8Array): Uint8Array {
  if (fold.on === "bytes") return fold.settle === undefined ? fold.by(a, b).slice() : fold.by(a, b);
  return numberBytes(foldNumbers(fold, readF64(a, 0), readF64(b, 0), () => key));
}

export function numberBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeF64(bytes, 0, value);
  return bytes;
}

/** Cuts pairs into blocks of one partition each: at most `blockBytes`, or a single larger pair. */
export function* packBlocks(
  pairs: Iterable<Pair>,
  blockBytes: number,
): Generator<PairBlock & { readonly partition: number }> {
  let open: Pair[] = [];
  let bytes = 0;
  for (const pair of pairs) {
    const more = pairBytes(pair.key.length, pair.value.length);
    if (open.length > 0 && (open[0]!.partition !== pair.partition || bytes + more > blockBytes)) {
      yield packBlock(open, bytes);
      open = [];
      bytes = 0;
    }
    open.push(pair);
    bytes += more;
  }
  if (open.length > 0) yield packBlock(open, bytes);
}

function packBlock(pairs: readonly Pair[], length: number): PairBlock & { readonly partition: number } {
  const bytes = new Uint8Array(length);
  let at = 0;
  let digest = 0n;
  const { partition, key: first } = pairs[0]!;
  let last = first;
  for (const { key, value } of pairs) {
    at = writePair(bytes, at, key, value);
    digest = (digest + pairDigest(key, value)) & mask64;
    last = key;
  }
  return {
    partition,
    bytes,
    start: 0,
    end: at,
    pairs: pairs.length,
    prefixBytes: sharedPrefix(first, last),
    digest,
  };
}
