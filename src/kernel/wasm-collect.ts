// Collecting in the WebAssembly kernel. This side lays the arena out, passes batches on, and handles what the kernel
// can't do itself: pairs that are too large for it, folds of bytes by a user's function, and boundaries that take too
// much of the arena. `Collect` (kernel.ts) says what each method promises.
import { assert } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import type { BlockSink, Collect, CollectOptions, WordEnds, WordsTaken } from "./kernel.ts";
import { align, batchEndOf, type Layout, slackBytes } from "./layout.ts";
import { emissionTerm, type PairAt, pairBytes, pairDigest, parsePair, sumTerm, writePair } from "./pair.ts";
import { partitionOf } from "./partitioner.ts";
import { histogramBytes, type KernelExports, type KernelState, placing, result, tables } from "./wasm-exports.ts";
import type { WasmFold } from "./wasm-fold.ts";

/** What the collects and merges of one kernel share. */
export interface WasmParts {
  readonly arena: Uint8Array;
  readonly layout: Layout;
  readonly kernel: KernelExports;
  readonly state: KernelState;
  readonly fold: WasmFold;
}

export class WasmCollect implements Collect {
  readonly batchStart: number;
  readonly batchEnd: number;
  readonly #parts: WasmParts;
  readonly #options: CollectOptions;
  readonly #isCurrent: () => boolean;
  readonly #view: DataView;
  /** The batch has been taken up to this offset. */
  #taken: number;
  readonly #at: PairAt = { keyStart: 0, keyEnd: 0, valueEnd: 0 };

  constructor(parts: WasmParts, options: CollectOptions, isCurrent: () => boolean) {
    const { layout, kernel, arena } = parts;
    this.batchStart = layout.batchStart;
    this.batchEnd = batchEndOf(layout, options.fold);
    this.#taken = layout.batchStart;
    this.#parts = parts;
    this.#options = options;
    this.#isCurrent = isCurrent;
    this.#view = new DataView(arena.buffer);

    const { partitions, partitioner, group = [], fold, combining, firstEmission, sums = false } = options;
    assert(
      !sums || fold === undefined || (fold.on === "f64" && fold.by === "sum"),
      "a digest of sums is of what is summed",
    );
    const histogram = layout.freeStart;
    const counts = histogram + histogramBytes;
    const groups = align(counts + partitions * 4);
    const boundaries = align(groups + group.length * 4);
    for (const [index, shape] of group.entries()) {
      this.#view.setInt32(
        groups + index * 4,
        typeof shape === "number" ? shape : shape === "ascending" ? -1 : -2,
        true,
      );
    }
    const cuts = partitioner.kind === "range" ? partitioner.boundaries : [];
    const cutBytes = cuts.reduce((sum, cut) => sum + cut.length + 16, slackBytes);
    // Boundaries that would take more than an eighth of the arena stay outside, and the kernel calls back to look them
    // up.
    const isInside = cutBytes <= layout.arenaBytes / 8;
    const mode = partitioner.kind === "range" && !isInside ? placing.hostRange : placing[partitioner.kind];
    if (isInside) this.#writeBoundaries(boundaries, cuts);
    parts.fold.set(fold, kernel);
    kernel.setHistogram(histogram);
    kernel.setPartitioner(partitions, mode, groups, group.length, boundaries, isInside ? cuts.length : 0);
    kernel.setBlock(layout.blockStart, layout.blockBytes);
    const isInTable = fold?.on === "f64" || fold?.columns !== undefined;
    const table = isInTable ? tables[combining] : tables.never;
    const pool = align(boundaries + (isInside ? cutBytes : 0));
    kernel.beginCollect(pool, layout.arenaBytes - slackBytes, counts, table, firstEmission, sums ? 1 : 0);
  }

  get held(): number {
    return this.#parts.state.held;
  }

  get emissions(): number {
    return this.#parts.state.emissions;
  }

  get emissionDigest(): bigint {
    return this.#parts.state.emissionDigest;
  }

  addBatch(end: number): "taken" | "full" {
    assert(this.#isCurrent(), "collect is over");
    assert(end >= this.batchStart && end <= this.batchEnd, "the batch ends outside its region");
    if (this.#take(this.#taken, end) === "taken") {
      this.#taken = this.batchStart;
      return "taken";
    }
    this.#taken = this.#parts.state.taken;
    return "full";
  }

  addWords(start: number, end: number, ends: WordEnds): WordsTaken {
    assert(this.#isCurrent(), "collect is over");
    assert(this.#options.sums === true, "words are counted");
    assert(this.#taken === this.batchStart, "the batch holds pairs");
    assert(start >= this.batchStart && end <= this.batchEnd, "the text lies outside the batch's region");
    const { kernel, state } = this.#parts;
    const code = kernel.addWords(start, end, ends === "letters" ? 1 : 0);
    if (code === result.done) return { kind: "taken" };
    if (code === result.full) return { kind: "full", start: state.taken };
    assert(code === result.long, "addWords takes, is full, or finds a long word");
    return { kind: "long", start: state.taken, end: state.wordEnd };
  }

  countLines(start: number, end: number): number {
    return this.#parts.kernel.countLines(start, end);
  }

  addLarge(key: Uint8Array, value: Uint8Array, partition: number | undefined): "taken" | "full" {
    assert(this.#isCurrent(), "collect is over");
    checkKey(key);
    const { kernel, arena } = this.#parts;
    const isExplicit = this.#options.partitioner.kind === "explicit";
    const start = kernel.reserveLarge(pairBytes(key.length, value.length) + (isExplicit ? 4 : 0));
    if (start === 0) return "full";
    let at = start;
    if (isExplicit) {
      this.#view.setUint32(start, partitionOf(this.#options, key, partition), true);
      at += 4;
    }
    return this.#take(start, writePair(arena, at, key, value));
  }

  placeLarge(
    key: Uint8Array,
    value: Uint8Array,
    partition: number | undefined,
  ): { readonly partition: number; readonly digest: bigint } {
    assert(this.#isCurrent(), "collect is over");
    const place = partitionOf(this.#options, key, partition);
    const term =
      this.#options.sums === true ? sumTerm(key, value, place) : emissionTerm(key, value, place, this.emissions);
    this.#parts.kernel.countLarge(Number(term >> 32n), Number(term & 0xffffffffn));
    return { partition: place, digest: pairDigest(key, value) };
  }

  flush(sink: BlockSink): void {
    assert(this.#isCurrent(), "collect is over");
    const { kernel, state, fold } = this.#parts;
    kernel.beginFlush();
    for (;;) {
      const code = kernel.nextFlush();
      if (code === result.done) break;
      if (code === result.block) this.#handOut(sink);
      else if (code === result.fold) this.#foldRun(sink);
      else throw fold.beyond(state.errorKey);
    }
    kernel.endFlush();
  }

  #take(start: number, end: number): "taken" | "full" {
    const { kernel, state, fold } = this.#parts;
    const code = kernel.addBatch(start, end);
    if (code === result.done) return "taken";
    if (code === result.full) return "full";
    if (code === result.beyond) throw fold.beyond(state.errorKey);
    throw new Error(`millrace bug: no pair at ${state.taken} of a batch that ends at ${end}`);
  }

  /** Gives the sink the block that the kernel has described. */
  #handOut(sink: BlockSink): void {
    const { arena, state } = this.#parts;
    const { blockPartition, blockStart, blockEnd, blockPairs, blockPrefix, blockDigest } = state;
    sink.block(blockPartition, arena, blockStart, blockEnd, blockPairs, blockPrefix, blockDigest);
  }

  /** Folds the values of one key, which are bytes, and puts the pair into the open block or into a block of its own. */
  #foldRun(sink: BlockSink): void {
    const { arena, layout, kernel, state, fold } = this.#parts;
    const { foldFrom, foldTo } = state;
    const partition = kernel.flushPartition();
    const at = this.#at;
    parsePair(arena, state.pairOfRecord(foldFrom), arena.length, at);
    const key = arena.subarray(at.keyStart, at.keyEnd);
    let value = arena.subarray(at.keyEnd, at.valueEnd);
    for (let record = foldFrom + 16; record < foldTo; record += 16) {
      parsePair(arena, state.pairOfRecord(record), arena.length, at);
      value = fold.bytes(value, arena.subarray(at.keyEnd, at.valueEnd));
    }
    value = fold.settled(value);
    const bytes = pairBytes(key.length, value.length);
    const limit = layout.blockStart + layout.blockBytes;
    if (state.openEnd + bytes > limit && kernel.closeOpen() === result.block) this.#handOut(sink);
    if (bytes <= layout.blockBytes) {
      const end = writePair(arena, state.openEnd, key, value);
      kernel.pushWritten(end - key.length - value.length, key.length, value.length);
    } else {
      const block = new Uint8Array(bytes);
      writePair(block, 0, key, value);
      sink.block(partition, block, 0, bytes, 1, key.length, pairDigest(key, value));
    }
    kernel.skipFolded();
  }

  /**
   * Writes 16 bytes per boundary, of which the kernel fills the first 8; then offset and length. The boundaries' bytes
   * follow.
   */
  #writeBoundaries(start: number, boundaries: readonly Uint8Array[]): void {
    let at = start + boundaries.length * 16;
    for (const [index, boundary] of boundaries.entries()) {
      this.#view.setUint32(start + index * 16 + 8, at, true);
      this.#view.setUint32(start + index * 16 + 12, boundary.length, true);
      this.#parts.arena.set(boundary, at);
      at += boundary.length;
    }
  }
}

/** A sort record has 28 bits for a key's length. */
function checkKey(key: Uint8Array): void {
  if (key.length < 2 ** 28) return;
  throw new MillraceError("over-limit", `a key has ${key.length} bytes, which no run can hold`);
}
