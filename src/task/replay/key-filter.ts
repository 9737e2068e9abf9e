// Takes all pairs that map emits, and hands on those of one key. The others are only looked at, so that a key that is
// not there can be told with the ones that are.
import { equalBytes } from "../../base/bytes/bytes.ts";
import { KiB, MiB } from "../../base/limits.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { groupEnd } from "../../kernel/group.ts";
import type { Collector } from "../../sort/collector.ts";
import type { PairTarget } from "../emit/emitter.ts";
import { readFrame, viewOf } from "../emit/frame.ts";
import { isShownAs, type WantedKey } from "./wanted-key.ts";

const batchBytes = 64 * KiB;
/** The first values, which are shown. */
const valuesListedMax = 20;
const valuesBytesMax = 1 * MiB;
/** Keys that are kept to name near ones: the first that come. */
const keysMax = 10_000;
const keysBytesMax = 4 * MiB;

/** What was found of one of the keys that the text may stand for. */
export interface FoundKey {
  /** The number of its pairs. */
  pairs: number;
  /** The first values, encoded. */
  readonly values: Uint8Array[];
}

export class KeyFilter implements PairTarget {
  readonly arena: Uint8Array = new Uint8Array(batchBytes);
  readonly batchStart = 0;
  readonly batchEnd = batchBytes;
  /** All pairs, also those of other keys. */
  pairs = 0;
  /** By the partition that the collector has the key's pairs in. */
  readonly found: readonly FoundKey[];
  readonly #job: JobDefinition;
  readonly #wanted: WantedKey;
  readonly #collector: Pick<Collector, "takeLarge">;
  readonly #encoded: Uint8Array[];
  readonly #keys = new Set<string>();
  #keysBytes = 0;
  #valuesBytes = 0;
  #isFound = false;

  /** The collector has `partitionsOf(wanted)` partitions, which are chosen here. */
  constructor(job: JobDefinition, wanted: WantedKey, collector: Pick<Collector, "takeLarge">) {
    this.#job = job;
    this.#wanted = wanted;
    this.#collector = collector;
    this.#encoded = [...wanted.encoded];
    this.found = Array.from({ length: partitionsOf(wanted) }, () => ({ pairs: 0, values: [] }));
  }

  /** The key, encoded, whose pairs the collector has in this partition. */
  keyOf(partition: number): Uint8Array {
    return this.#encoded[partition]!;
  }

  /** Some keys that are there, encoded. */
  *keys(): Generator<Uint8Array> {
    for (const key of this.#keys) yield new Uint8Array(Buffer.from(key, "latin1"));
  }

  take(end: number): void {
    for (let at = this.batchStart; at < end; ) {
      const pair = readFrame(this.arena, at, 0);
      this.#look(this.arena, pair.key, pair.value, pair.end);
      at = pair.end;
    }
  }

  takeLarge(key: Uint8Array, value: Uint8Array): void {
    const pair = new Uint8Array(key.length + value.length);
    pair.set(key);
    pair.set(value, key.length);
    this.#look(pair, 0, key.length, pair.length);
  }

  #look(bytes: Uint8Array, start: number, keyEnd: number, end: number): void {
    this.pairs++;
    // Without reduce whole keys are written, as in a run.
    const shapes = this.#job.reduce === undefined ? undefined : this.#job.group?.shapes;
    const groupedEnd = shapes === undefined ? keyEnd : groupEnd(bytes, start, keyEnd, shapes);
    const partition = this.#partitionOf(bytes, start, groupedEnd);
    if (partition < 0) {
      if (!this.#isFound) this.#remember(viewOf(bytes, start, groupedEnd));
      return;
    }
    this.#isFound = true;
    const found = this.found[partition]!;
    const value = viewOf(bytes, keyEnd, end);
    found.pairs++;
    if (found.values.length < valuesListedMax && this.#valuesBytes + value.length <= valuesBytesMax) {
      this.#valuesBytes += value.length;
      found.values.push(value.slice());
    }
    this.#collector.takeLarge(viewOf(bytes, start, keyEnd), value, partition);
  }

  /** -1: it is another key. Most pairs are of other keys, so no view is made for those. */
  #partitionOf(bytes: Uint8Array, start: number, end: number): number {
    for (const [partition, wanted] of this.#encoded.entries()) {
      if (wanted.length === end - start && equalBytes(wanted, viewOf(bytes, start, end))) return partition;
    }
    const { shown } = this.#wanted;
    if (shown === undefined || this.#encoded.length === this.found.length) return -1;
    const key = bytes.slice(start, end);
    if (!isShownAs(groupKeyOf(this.#job).read(key), shown)) return -1;
    // The first key that is shown so is the one from here on.
    return this.#encoded.push(key) - 1;
  }

  #remember(key: Uint8Array): void {
    if (this.#keys.size >= keysMax || this.#keysBytes >= keysBytesMax) return;
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
    if (this.#keys.has(text)) return;
    this.#keys.add(text);
    this.#keysBytes += text.length;
  }
}

/** One for each key that the text may stand for, and one for a key that is only shown as the text. */
export function partitionsOf({ encoded, shown }: WantedKey): number {
  return encoded.length + (shown === undefined ? 0 : 1);
}

/** The codec of the keys that reduce gets. */
export function groupKeyOf({ key, group, reduce }: JobDefinition) {
  return reduce === undefined ? key : (group?.key ?? key);
}
