// How many pairs of each key a map emits, which no one sees where values are combined on the way: for the name of the
// largest group. Small tasks are counted whole. Of others a sample is: fewer batches the more there have been, of those
// the first part is walked through, and in it pairs at random are counted, so that a task counts some thousand pairs
// however large it is. Batches of all parts take part, as keys often come together (the dates of a log). Of a record
// that emits hundreds of pairs the first ones are seen more often than the others. What is counted is bounded by
// forgetting the keys with fewest pairs, with a bound of what may have been forgotten ("lossy counting", Manku and
// Motwani, 2002).
import { crc32 } from "node:zlib";
import { asBuffer } from "../../base/bytes/bytes.ts";
import { KiB, limits } from "../../base/limits.ts";
import { groupEnd } from "../../kernel/group.ts";
import type { PartShape } from "../../kernel/kernel.ts";
import type { LargestGroups } from "../../protocol/largest-groups.ts";

/** Pairs that are counted one by one before sampling begins. */
const wholePairs = 512;
/** This many batches in a row are looked at, then as many with one left out between them, then three, and so on. */
const looksPerStride = 32;
/** The part of a batch that is walked through, and the least and the most of it: a slot's first walks are slow. */
const walkedPart = 1 / 16;
const walkedBytesMin = 1 * KiB;
const walkedBytesMax = 8 * KiB;
/** One pair in this many bytes that are walked through is counted, and at least this many of a batch. */
const bytesPerSample = 1 * KiB;
const samplesPerBatch = 16;
/**
 * This many of the first batch, half as many of the second, and so on: small tasks would have few samples. Half of it
 * where a task has more input than that, which is in more batches.
 */
const samplesOfFirstBatch = 512;
const largeInputBytes = 1024 * KiB;
/** An estimate of fewer samples is none: with this many its error is a quarter, two times in three. */
const samplesMin = 16;
/** Keys that are counted at the same time. With this many, those with no more pairs than the mean are forgotten. */
const keysMax = 1024;
/** A longer key is counted as some key: nothing should hold many megabytes for a summary. */
const countedKeyBytesMax = 1024;

interface Count {
  /** The pairs that the samples stand for. */
  pairs: number;
  /** The sum of the squares: samples that stand for few pairs make an estimate no better. */
  squares: number;
  /** The most that were forgotten before this count began. */
  readonly missed: number;
}

/** The largest groups, with their encoded keys. */
export interface EncodedGroups extends Omit<LargestGroups, "groups"> {
  readonly groups: readonly { readonly key: Uint8Array; readonly hash: number; readonly pairs: number }[];
}

export class GroupSizes {
  readonly #shapes: readonly PartShape[] | undefined;
  /** Bytes in front of each pair of a batch. */
  readonly #header: number;
  readonly #samplesOfFirst: number;
  #random: number;
  /** By key, one character per byte. */
  readonly #counts = new Map<string, Count>();
  /** The most pairs that a key may have that is not among the counts. */
  #forgotten = 0;
  /** Pairs whose keys are too long to be counted by themselves. */
  #long = 0;
  /** All pairs that the samples stand for. */
  #pairs = 0;
  #samples = 0;
  #wholeLeft = wholePairs;
  #isSample = false;
  /** The looks so far, and the batches that each of them stands for now. */
  #looks = 0;
  #stride = 1;
  #untilLook = 1;
  #meanPairBytes = 16;
  /** The arena, and the same as a Buffer. No text is kept: it would outlive its block. */
  #arena: Uint8Array = new Uint8Array(0);
  #buffer = asBuffer(this.#arena);

  /**
   * The same `seed` and `inputBytes` of the task look at the same pairs, so that each attempt at a task says the same.
   */
  constructor(shapes: readonly PartShape[] | undefined, header: number, seed: number, inputBytes = 0) {
    this.#samplesOfFirst = inputBytes > largeInputBytes ? samplesOfFirstBatch / 2 : samplesOfFirstBatch;
    this.#shapes = shapes;
    this.#header = header;
    this.#random = (Math.imul(seed + 1, 0x9e3779b1) >>> 0) | 1;
  }

  /** Looks at a batch of pairs. Called once per batch. */
  takePairs(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#arena) {
      this.#arena = bytes;
      this.#buffer = asBuffer(bytes);
    }
    const at = this.#wholeLeft > 0 ? this.#walk(bytes, start, end, 0, 1) : start;
    if (at >= end) return;
    this.#isSample = true;
    const batches = this.#look();
    if (batches === 0) return;
    const walked = Math.min(
      end - at,
      Math.max(walkedBytesMin, Math.min(walkedBytesMax, Math.floor((end - at) * walkedPart))),
    );
    const samples = Math.max(samplesPerBatch, walked / bytesPerSample, this.#samplesOfFirst / this.#looks);
    const stride = Math.max(1, Math.round(walked / this.#meanPairBytes / samples));
    this.#walk(bytes, at, at + walked, stride, (batches * stride * (end - at)) / walked);
  }

  /** Looks at a pair that is too large for a batch. */
  takeLarge(key: Uint8Array): void {
    this.#count(asBuffer(key), 0, key.length, 1);
  }

  /** The largest groups of all `emissions`. Keys are those of the job's groups. */
  largest(emissions: number): EncodedGroups {
    const isEstimate = this.#isSample || this.#pairs !== emissions;
    // Such as a text of words that are too long to be counted.
    if (isEstimate && this.#samples < samplesMin) return { groups: [], othersMax: emissions, isEstimate };
    // Samples say which share a key has; how many pairs there are is known.
    const scale = this.#pairs === 0 ? 0 : emissions / this.#pairs;
    const listed: { key: Buffer; hash: number; pairs: number }[] = [];
    const found: (readonly [id: string, pairs: number])[] = [];
    let othersMax = Math.max(this.#forgotten, this.#long);
    // Of some thousand keys a few are listed: to sort all of them would take longer than to count them did.
    for (const [id, { pairs, squares, missed }] of this.#counts) {
      if (!isEstimate || pairs * pairs >= samplesMin * squares) found.push([id, pairs]);
      else othersMax = Math.max(othersMax, pairs + missed);
    }
    found.sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
    for (const [id, pairs] of found) {
      if (listed.length === limits.largestGroupsMax) {
        othersMax = Math.max(othersMax, pairs + this.#counts.get(id)!.missed);
        continue;
      }
      const key = Buffer.from(id, "latin1");
      listed.push({ key, hash: crc32(key), pairs: Math.round(pairs * scale) });
    }
    // Where keys were forgotten, what is listed may have more than was counted.
    return { groups: listed, othersMax: Math.ceil(othersMax * scale), isEstimate: isEstimate || this.#forgotten > 0 };
  }

  /** How many batches the next one stands for, at random distances; 0: it is passed over. */
  #look(): number {
    if (--this.#untilLook > 0) return 0;
    const stride = this.#stride;
    this.#looks++;
    if (this.#looks % looksPerStride === 0) this.#stride *= 2;
    this.#untilLook = this.#below(2 * this.#stride - 1) + 1;
    return stride;
  }

  /**
   * Goes through the pairs in bytes[start, end), the last of which may go on behind `end`, and counts about one in
   * `stride` as `weight` pairs. A stride of 0: counts each, as long as pairs are counted one by one. Returns where it
   * has stopped.
   */
  #walk(bytes: Uint8Array, start: number, end: number, stride: number, weight: number): number {
    const header = this.#header;
    let left = stride === 0 ? 1 : this.#below(stride) + 1;
    let pairs = 0;
    let at = start;
    for (; at < end; pairs++) {
      // By hand, as an object for each pair would take longer than all the rest.
      let key = at + header;
      let keyBytes = bytes[key++]!;
      if (keyBytes > 127) {
        keyBytes &= 127;
        for (let scale = 128, byte = 128; byte > 127; scale *= 128) {
          byte = bytes[key++]!;
          keyBytes += (byte & 127) * scale;
        }
      }
      let valueBytes = bytes[key++]!;
      if (valueBytes > 127) {
        valueBytes &= 127;
        for (let scale = 128, byte = 128; byte > 127; scale *= 128) {
          byte = bytes[key++]!;
          valueBytes += (byte & 127) * scale;
        }
      }
      const next = key + keyBytes + valueBytes;
      if (--left === 0) {
        this.#count(this.#buffer, key, key + keyBytes, weight);
        // At random distances: of records with equally many pairs it would always be the same one.
        left = stride <= 1 ? 1 : this.#below(2 * stride - 1) + 1;
        if (stride === 0 && --this.#wholeLeft === 0) return next;
      }
      at = next;
    }
    if (pairs > 0) this.#meanPairBytes = (at - start) / pairs;
    return at;
  }

  #count(bytes: Buffer, start: number, keyEnd: number, pairs: number): void {
    const end = this.#shapes === undefined ? keyEnd : groupEnd(bytes, start, keyEnd, this.#shapes);
    this.#samples++;
    this.#pairs += pairs;
    if (end - start > countedKeyBytesMax) {
      this.#long += pairs;
      return;
    }
    const id = bytes.toString("latin1", start, end);
    const count = this.#counts.get(id);
    if (count !== undefined) {
      count.pairs += pairs;
      count.squares += pairs * pairs;
      return;
    }
    this.#counts.set(id, { pairs, squares: pairs * pairs, missed: this.#forgotten });
    if (this.#counts.size >= keysMax) this.#forget();
  }

  /** Forgets the keys with no more pairs than the mean: mostly far more than half of them. */
  #forget(): void {
    let sum = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const count of this.#counts.values()) {
      sum += count.pairs + count.missed;
      least = Math.min(least, count.pairs + count.missed);
    }
    // Where all have the same, their mean may be less than each of them by a rounding.
    const most = Math.max(sum / this.#counts.size, least);
    for (const [id, count] of this.#counts) if (count.pairs + count.missed <= most) this.#counts.delete(id);
    this.#forgotten = Math.max(this.#forgotten, most);
  }

  /** A whole number from 0 to `bound` - 1 (xorshift32). */
  #below(bound: number): number {
    let next = this.#random;
    next ^= next << 13;
    next ^= next >>> 17;
    next ^= next << 5;
    this.#random = next >>> 0;
    return Math.floor((this.#random / 2 ** 32) * bound);
  }
}
