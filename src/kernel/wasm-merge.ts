// Merging in the WebAssembly kernel, which plays the sources' current pairs in a tree of losers (assembly/tree.ts).
// Each source has one block in the arena; when it is used up the kernel asks for the next one ("need"). This side reads
// the blocks, and folds bytes with the user's function: a pair folded so is written by this side too.
import { assert } from "../base/assert.ts";
import type { BlockSource, MergeStream, PairBlock } from "./kernel.ts";
import { align, slackBytes, stateBytes } from "./layout.ts";
import { corruptBlock, pairBytes, pairDigest, writePair } from "./pair.ts";
import type { WasmParts } from "./wasm-collect.ts";
import { result, sourceRecordBytes } from "./wasm-exports.ts";

interface Input {
  readonly source: BlockSource;
  /** Offset of the kernel's record of the source. */
  readonly record: number;
  readonly buffer: number;
  /** The arena up to the buffer's end, which is as far as the source may write. */
  readonly target: Uint8Array;
}

export class WasmMerge implements MergeStream {
  readonly #parts: WasmParts;
  readonly #isCurrent: () => boolean;
  readonly #inputs: readonly Input[];
  readonly #blockStart: number;
  #isStarted = false;
  #isDone = false;
  /** Set while the user's fold of bytes goes through the values of a key: what they have come to so far. */
  #folded: Uint8Array | undefined;
  /** A folded pair that is not in a block yet. */
  #carried: { readonly key: Uint8Array; readonly value: Uint8Array } | undefined;

  constructor(parts: WasmParts, sources: readonly BlockSource[], isCurrent: () => boolean) {
    const { arena, kernel, layout } = parts;
    this.#parts = parts;
    this.#isCurrent = isCurrent;
    const tree = stateBytes + sources.length * sourceRecordBytes;
    this.#blockStart = tree + Math.max(1, sources.length) * 16;
    const largest = Math.max(layout.blockBytes, ...sources.map((source) => source.blockBytesMax));
    let buffer = align(this.#blockStart + largest + slackBytes);
    const inputs: Input[] = [];
    for (const [index, source] of sources.entries()) {
      const end = buffer + source.blockBytesMax;
      inputs.push({ source, record: stateBytes + index * sourceRecordBytes, buffer, target: arena.subarray(0, end) });
      buffer = align(end + slackBytes);
    }
    this.#inputs = inputs;
    assert(buffer <= arena.length, "a merge that fits the arena does not");
    kernel.setBlock(this.#blockStart, layout.blockBytes);
    kernel.beginMerge(stateBytes, sources.length, tree);
  }

  next(): PairBlock | undefined {
    assert(this.#isCurrent(), "merge is over");
    if (this.#isDone) return undefined;
    if (!this.#isStarted) {
      this.#isStarted = true;
      for (let index = 0; index < this.#inputs.length; index++) this.#load(index);
    }
    const block = this.#nextBlock();
    if (block === undefined) this.#isDone = true;
    return block;
  }

  #nextBlock(): PairBlock | undefined {
    const { kernel, state, fold } = this.#parts;
    for (;;) {
      if (this.#carried !== undefined) {
        const block = this.#placeCarried(this.#carried);
        if (block !== undefined) return block;
      }
      const code = kernel.nextMerge();
      switch (code) {
        case result.done:
          return undefined;
        case result.block:
          return this.#described();
        case result.need:
          this.#load(state.source);
          break;
        case result.fold:
          this.#folded = this.#keep(fold.bytes(this.#folded ?? state.left, state.right));
          break;
        case result.settle:
          // What the kernel has folded itself is described as the left value.
          this.#carried = {
            key: state.key.slice(),
            value: this.#folded === undefined ? state.left.slice() : fold.settled(this.#folded),
          };
          this.#folded = undefined;
          kernel.dropPending();
          break;
        case result.beyond:
          throw fold.beyond(state.errorKey);
        default:
          throw new Error(`millrace bug: a merge ended with ${code}`);
      }
    }
  }

  /** Reads the source's next block, or tells the source that its end is reached. */
  #load(index: number): void {
    const { kernel, state } = this.#parts;
    const { source, buffer, target, record } = this.#inputs[index]!;
    const bytes = source.read(target, buffer);
    if (!(bytes >= 0 && bytes <= source.blockBytesMax)) throw corruptBlock();
    if (bytes === 0) source.end(state.sourcePairs(record), state.sourceDigest(record));
    if (kernel.loadBlock(index, buffer, bytes) !== result.done) throw corruptBlock();
  }

  /**
   * A user's function may return one of its arguments, whose place in the arena is about to be reused: then this copies
   * it.
   */
  #keep(value: Uint8Array): Uint8Array {
    return value.buffer === this.#parts.arena.buffer ? value.slice() : value;
  }

  /**
   * Puts the folded pair into the open block. Or returns a block: the open one, which must go first, or one for this
   * pair alone.
   */
  #placeCarried({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }): PairBlock | undefined {
    const { arena, kernel, layout, state } = this.#parts;
    const bytes = pairBytes(key.length, value.length);
    if (state.openEnd + bytes > this.#blockStart + layout.blockBytes && kernel.closeMerge() === result.block)
      return this.#described();
    this.#carried = undefined;
    if (bytes > layout.blockBytes) {
      const block = new Uint8Array(bytes);
      writePair(block, 0, key, value);
      return { bytes: block, start: 0, end: bytes, pairs: 1, prefixBytes: key.length, digest: pairDigest(key, value) };
    }
    const end = writePair(arena, state.openEnd, key, value);
    kernel.pushWritten(end - key.length - value.length, key.length, value.length);
    return undefined;
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
