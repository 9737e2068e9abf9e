// Merging in plain TypeScript: the least key of all sources is found by looking at each of them. The WebAssembly kernel
// is compared with it.
import { assert } from "../base/assert.ts";
import { compareBytes } from "../base/bytes/bytes.ts";
import { mask64 } from "../base/bytes/xxh64.ts";
import type { BlockSource, KernelFold, MergeStream, PairBlock } from "./kernel.ts";
import { corruptBlock, type PairAt, pairDigest, parsePair } from "./pair.ts";
import { foldRuns, type Pair, packBlocks } from "./reference-pairs.ts";

/** A source with its current pair. It counts and digests what it hands out, for the source's own check at the end. */
class Head {
  readonly #source: BlockSource;
  readonly #block: Uint8Array;
  readonly #at: PairAt = { keyStart: 0, keyEnd: 0, valueEnd: 0 };
  #position = 0;
  #end = 0;
  #pairs = 0;
  #digest = 0n;

  constructor(source: BlockSource) {
    this.#source = source;
    this.#block = new Uint8Array(source.blockBytesMax);
  }

  /** The next pair, as a copy. Returns undefined at the end, after telling the source so. */
  take(): Pair | undefined {
    if (this.#position === this.#end) {
      this.#position = 0;
      this.#end = this.#source.read(this.#block, 0);
      if (this.#end > this.#block.length) throw corruptBlock();
      if (this.#end === 0) {
        this.#source.end(this.#pairs, this.#digest);
        return undefined;
      }
    }
    parsePair(this.#block, this.#position, this.#end, this.#at);
    const { keyStart, keyEnd, valueEnd } = this.#at;
    const key = this.#block.slice(keyStart, keyEnd);
    const value = this.#block.slice(keyEnd, valueEnd);
    this.#position = valueEnd;
    this.#pairs++;
    this.#digest = (this.#digest + pairDigest(key, value)) & mask64;
    return { partition: 0, key, value };
  }
}

export class ReferenceMerge implements MergeStream {
  readonly #blocks: Generator<PairBlock>;
  readonly #isCurrent: () => boolean;

  constructor(
    sources: readonly BlockSource[],
    fold: KernelFold | undefined,
    blockBytes: number,
    isCurrent: () => boolean,
  ) {
    this.#blocks = packBlocks(foldRuns(mergePairs(sources), fold), blockBytes);
    this.#isCurrent = isCurrent;
  }

  next(): PairBlock | undefined {
    assert(this.#isCurrent(), "merge is over");
    const { done, value } = this.#blocks.next();
    return done === true ? undefined : value;
  }
}

/** Yields the smallest key first, and among equal keys that of the earliest source. */
function* mergePairs(sources: readonly BlockSource[]): Generator<Pair> {
  const heads = sources.map((source) => new Head(source));
  const pairs = heads.map((head) => head.take());
  for (;;) {
    let least: number | undefined;
    for (const [index, pair] of pairs.entries()) {
      if (pair === undefined) continue;
      if (least === undefined || compareBytes(pair.key, pairs[least]!.key) < 0) least = index;
    }
    if (least === undefined) return;
    yield pairs[least]!;
    pairs[least] = heads[least]!.take();
  }
}
