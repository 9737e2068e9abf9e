// Collecting in plain TypeScript: pairs are JavaScript objects, and `flush` sorts them with Array.prototype.sort. The
// WebAssembly kernel has to give the same bytes (kernel.ts defines them), and is compared with this one. It counts the
// bytes of the arena that the other would use, so both are "full" at about the same number of pairs.
import { assert } from "../base/assert.ts";
import { asBuffer, compareBytes } from "../base/bytes/bytes.ts";
import { readF64 } from "../base/bytes/f64.ts";
import { mask64 } from "../base/bytes/xxh64.ts";
import { foldNumbers } from "./fold.ts";
import type { BlockSink, Collect, CollectOptions, WordEnds, WordsTaken } from "./kernel.ts";
import { batchEndOf, heldBytes, type Layout, slackBytes } from "./layout.ts";
import { emissionTerm, type PairAt, pairBytes, pairDigest, parsePair, sumTerm } from "./pair.ts";
import { partitionOf } from "./partitioner.ts";
import { foldRuns, numberBytes, type Pair, packBlocks } from "./reference-pairs.ts";

/** Combining is judged each time this many pairs were taken, and stops when more than 0.7 of them had a new key. */
export const combineWindow = 65_536;
export const combineGiveUp = 0.7;

/** A longer word is left to the caller, so that its length takes at most two bytes. */
export const wordBytesMax = 16_383;
const one = numberBytes(1);

interface Held {
  readonly partition: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The fold so far, where values are numbers. */
  number: number;
}

export class ReferenceCollect implements Collect {
  readonly batchStart: number;
  readonly batchEnd: number;
  emissions: number;
  emissionDigest = 0n;
  readonly #arena: Uint8Array;
  readonly #layout: Layout;
  readonly #options: CollectOptions;
  readonly #isCurrent: () => boolean;
  readonly #capacity: number;
  /** In the order of first emission. */
  #pairs: Held[] = [];
  #bytes = 0;
  #table = new Map<string, Held>();
  #combining: boolean;
  #window = { pairs: 0, distinct: 0 };
  /** The batch has been taken up to this offset. */
  #taken: number;
  readonly #at: PairAt = { keyStart: 0, keyEnd: 0, valueEnd: 0 };

  constructor(arena: Uint8Array, layout: Layout, options: CollectOptions, isCurrent: () => boolean) {
    this.batchStart = layout.batchStart;
    this.batchEnd = batchEndOf(layout, options.fold);
    this.#taken = layout.batchStart;
    this.emissions = options.firstEmission;
    this.#arena = arena;
    this.#layout = layout;
    this.#options = options;
    this.#isCurrent = isCurrent;
    this.#capacity = layout.arenaBytes - layout.freeStart - options.partitions * 8 - slackBytes;
    this.#combining = this.#combinesAtAll();
  }

  get held(): number {
    return this.#pairs.length;
  }

  addBatch(end: number): "taken" | "full" {
    assert(this.#isCurrent(), "collect is over");
    assert(end <= this.batchEnd, "the batch ends behind its region");
    while (this.#taken < end) {
      let at = this.#taken;
      let partition: number | undefined;
      if (this.#options.partitioner.kind === "explicit") {
        partition = asBuffer(this.#arena).readUInt32LE(at);
        at += 4;
      }
      parsePair(this.#arena, at, end, this.#at);
      const { keyStart, keyEnd, valueEnd } = this.#at;
      const key = this.#arena.slice(keyStart, keyEnd);
      if (!this.#add(key, this.#arena.slice(keyEnd, valueEnd), partition)) return "full";
      this.#taken = valueEnd;
    }
    this.#taken = this.batchStart;
    return "taken";
  }

  addWords(start: number, end: number, ends: WordEnds): WordsTaken {
    assert(this.#isCurrent(), "collect is over");
    assert(this.#options.sums === true, "words are counted");
    assert(this.#taken === this.batchStart, "the batch holds pairs");
    for (const word of wordsIn(this.#arena.subarray(start, end), ends)) {
      const place = { start: start + word.start, end: start + word.end };
      if (word.end - word.start > wordBytesMax) return { kind: "long", ...place };
      if (!this.#add(this.#arena.slice(place.start, place.end), one, undefined))
        return { kind: "full", start: place.start };
    }
    return { kind: "taken" };
  }

  countLines(start: number, end: number): number {
    return this.#arena.subarray(start, end).reduce((count, byte) => count + (byte === 10 ? 1 : 0), 0);
  }

  addLarge(key: Uint8Array, value: Uint8Array, partition: number | undefined): "taken" | "full" {
    assert(this.#isCurrent(), "collect is over");
    return this.#add(key.slice(), value.slice(), partition) ? "taken" : "full";
  }

  placeLarge(
    key: Uint8Array,
    value: Uint8Array,
    partition: number | undefined,
  ): { readonly partition: number; readonly digest: bigint } {
    assert(this.#isCurrent(), "collect is over");
    const place = partitionOf(this.#options, key, partition);
    this.#count(key, value, place);
    return { partition: place, digest: pairDigest(key, value) };
  }

  flush(sink: BlockSink): void {
    assert(this.#isCurrent(), "collect is over");
    const { fold } = this.#options;
    // Array.prototype.sort is stable, so equal keys stay in order of emission.
    const sorted = this.#pairs.sort((a, b) => a.partition - b.partition || compareBytes(a.key, b.key));
    const pairs: Pair[] =
      fold?.on === "f64" ? sorted.map((held) => ({ ...held, value: numberBytes(held.number) })) : sorted;
    this.#pairs = [];
    this.#bytes = 0;
    this.#table = new Map();
    this.#combining = this.#combinesAtAll();
    this.#window = { pairs: 0, distinct: 0 };
    for (const block of packBlocks(foldRuns(pairs, fold), this.#layout.blockBytes)) {
      sink.block(block.partition, block.bytes, block.start, block.end, block.pairs, block.prefixBytes, block.digest);
    }
  }

  #combinesAtAll(): boolean {
    return this.#options.fold?.on === "f64" && this.#options.combining !== "never";
  }

  /** Takes a pair. Returns false when there is no room; then nothing has changed. */
  #add(key: Uint8Array, value: Uint8Array, given: number | undefined): boolean {
    const { fold } = this.#options;
    if (fold?.on === "f64") assert(value.length === 8, "a number must be 8 bytes");
    const partition = partitionOf(this.#options, key, given);
    // A key may have an explicit partition of its own choosing, so the table keeps the same key of two partitions
    // apart.
    const name = this.#combining ? `${partition}:${asBuffer(key).toString("latin1")}` : "";
    const known = this.#combining ? this.#table.get(name) : undefined;
    if (known !== undefined && fold?.on === "f64") {
      known.number = foldNumbers(fold, known.number, readF64(value, 0), () => key);
    } else {
      const more = pairBytes(key.length, value.length) + heldBytes;
      if (this.#bytes + more > this.#capacity) return false;
      const held: Held = { partition, key, value, number: fold?.on === "f64" ? readF64(value, 0) : 0 };
      this.#pairs.push(held);
      this.#bytes += more;
      if (this.#combining) this.#table.set(name, held);
    }
    this.#count(key, value, partition);
    if (this.#combining) this.#judge(known === undefined);
    return true;
  }

  #judge(distinct: boolean): void {
    this.#window.pairs++;
    if (distinct) this.#window.distinct++;
    if (this.#window.pairs < combineWindow) return;
    if (this.#options.combining === "auto" && this.#window.distinct > combineGiveUp * combineWindow)
      this.#combining = false;
    this.#window = { pairs: 0, distinct: 0 };
  }

  #count(key: Uint8Array, value: Uint8Array, partition: number): void {
    const term =
      this.#options.sums === true
        ? sumTerm(key, value, partition)
        : emissionTerm(key, value, partition, this.emissions);
    this.emissionDigest = (this.emissionDigest + term) & mask64;
    this.emissions++;
  }
}

function* wordsIn(bytes: Uint8Array, ends: WordEnds): Generator<{ readonly start: number; readonly end: number }> {
  const isInWord = (byte: number) =>
    ends === "spaces" ? byte !== 32 && byte !== 10 : (byte | 32) >= 97 && (byte | 32) <= 122;
  let start = -1;
  for (let at = 0; at <= bytes.length; at++) {
    const inside = at < bytes.length && isInWord(bytes[at]!);
    if (inside && start < 0) start = at;
    if (inside || start < 0) continue;
    const end = ends === "spaces" && bytes[at] === 10 && bytes[at - 1] === 13 ? at - 1 : at;
    if (end > start) yield { start, end };
    start = -1;
  }
}
