// Merging by a table of keys instead of by order (assembly/aggregate.ts): the reduce of sums, where most keys are in
// every source. All sources are read in the first `next`; the table's content is then sorted and handed out as blocks.
// The stream is the same as that of `WasmMerge`.
import { assert } from "../base/assert.ts";
import { KiB } from "../base/limits.ts";
import type { BlockSource, KernelFold, MergeStream, PairBlock } from "./kernel.ts";
import { align, type Layout, slackBytes } from "./layout.ts";
import { corruptBlock } from "./pair.ts";
import type { WasmParts } from "./wasm-collect.ts";
import { histogramBytes, placing, result, tables } from "./wasm-exports.ts";

/** The most that a pair takes besides its bytes: its entry's head, its node, its share of the index. */
const pairBytesMore = 60;
/** The smallest size of an index. */
const spareBytes = 256 * KiB;
/**
 * After this many sources it is judged whether keys repeat: more than this share of the pairs must have had a known
 * key.
 */
const triedSources = 4;
const knownShareMin = 0.3;

/**
 * Whether a merge may be done by folding in the table: the values are numbers, the fold is a built-in one, and
 * everything fits.
 */
export function mayAggregate(layout: Layout, sources: readonly BlockSource[], fold: KernelFold | undefined): boolean {
  if (fold?.on !== "f64" || typeof fold.by === "function" || sources.length < 2) return false;
  let bytes = spareBytes;
  for (const { pairsMax, bytesMax, blockBytesMax } of sources) {
    if (pairsMax === undefined || bytesMax === undefined) return false;
    if (blockBytesMax > layout.batchEnd - layout.batchStart) return false;
    bytes += bytesMax + pairsMax * pairBytesMore;
  }
  return bytes <= layout.arenaBytes - layout.freeStart - histogramBytes - slackBytes;
}

export class WasmAggregate implements MergeStream {
  readonly #parts: WasmParts;
  readonly #sources: readonly BlockSource[];
  readonly #isCurrent: () => boolean;
  #state: "aggregating" | "handing out" | "done" = "aggregating";

  constructor(parts: WasmParts, sources: readonly BlockSource[], isCurrent: () => boolean) {
    const { kernel, layout } = parts;
    this.#parts = parts;
    this.#sources = sources;
    this.#isCurrent = isCurrent;
    const counts = layout.freeStart + histogramBytes;
    kernel.setHistogram(layout.freeStart);
    kernel.setPartitioner(1, placing.hash, 0, 0, 0, 0);
    kernel.setBlock(layout.blockStart, layout.blockBytes);
    // No one uses the digest of emissions here: the digest of sums costs least.
    kernel.beginCollect(align(counts + 4), layout.arenaBytes - slackBytes, counts, tables.always, 0, 1);
  }

  next(): PairBlock | undefined {
    assert(this.#isCurrent(), "merge is over");
    const { kernel, fold, state } = this.#parts;
    if (this.#state === "aggregating") {
      this.#aggregate();
      kernel.beginFlush();
      this.#state = "handing out";
    }
    if (this.#state === "done") return undefined;
    const code = kernel.nextFlush();
    if (code === result.block) return this.#described();
    this.#state = "done";
    if (code === result.beyond) throw fold.beyond(state.errorKey);
    assert(code === result.done, "numbers are folded by the kernel");
    return undefined;
  }

  #aggregate(): void {
    const { arena, kernel, layout, state } = this.#parts;
    const target = arena.subarray(0, layout.batchEnd);
    let pairs = 0;
    for (const [index, source] of this.#sources.entries()) {
      kernel.beginSource();
      for (;;) {
        const bytes = source.read(target, layout.batchStart);
        if (!(bytes >= 0 && bytes <= source.blockBytesMax)) throw corruptBlock();
        if (bytes === 0) break;
        this.#take(layout.batchStart, layout.batchStart + bytes);
      }
      pairs += state.sourcePairsTaken;
      source.end(state.sourcePairsTaken, state.sourceDigestTaken);
      if (index + 1 === triedSources && state.held > (1 - knownShareMin) * pairs) kernel.stopFolding();
    }
  }

  #take(start: number, end: number): void {
    const { kernel, fold, state } = this.#parts;
    const code = kernel.aggregate(start, end);
    if (code === result.done) return;
    if (code === result.beyond) throw fold.beyond(state.errorKey);
    // A source that holds more than it said is as damaged as one that can't be read.
    throw corruptBlock();
  }

  #described(): PairBlock {
    const { arena, state } = this.#parts;
    return {
      bytes: arena,
      start: state.blockStart,
      end: state.blockEnd,
      pairs: state.blockPairs,
      prefixBytes: state.blockPrefix,
      digest: state.blockDigest,
    };
  }
}
