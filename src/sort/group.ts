// The reduce side's loop: groups of equal keys over a sorted stream. It runs once per pair, so it hands out offsets,
// not objects.
import { assert } from "../base/assert.ts";
import { groupEnd } from "../kernel/group.ts";
import type { PartShape } from "../kernel/kernel.ts";
import type { Cursor } from "./run.ts";

/**
 * Groups of equal keys over sorted pairs, or of equal grouping prefixes (`shapes`). Each value is handed out once.
 * Values that were not taken when the next group is asked for are still read and counted. Memory does not grow with a
 * group.
 *
 *   while (groups.nextGroup()) {
 *     use(groups.key, groups.keyStart, groups.keyEnd);
 *     while (groups.nextValue()) use(groups.bytes, groups.valueStart, groups.valueEnd);
 *   }
 */
export class Groups {
  readonly #cursor: Cursor;
  readonly #shapes: readonly PartShape[] | undefined;
  /**
   * The group's key is key[keyStart, keyEnd), valid until the next step. It lies in its first pair, or, when that is
   * about to be overwritten, in a copy.
   */
  key: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  #saved: Buffer = Buffer.allocUnsafeSlow(256);
  /** Pairs read and groups begun so far. */
  pairs = 0;
  groups = 0;
  #groupPairs = 0;
  #groupMax = 0;
  /** The key of the largest group so far, but for the one that is being read. */
  #largest: Buffer | undefined;
  #state: "before" | "first" | "inside" | "behind" | "ended" = "before";
  #taken = false;

  constructor(cursor: Cursor, shapes: readonly PartShape[] | undefined) {
    this.#cursor = cursor;
    this.#shapes = shapes;
  }

  /** The current pair; right after `nextGroup` it is the group's first. */
  get pair(): Pick<Cursor, "bytes" | "lasting"> {
    return this.#cursor;
  }

  /** The current value is bytes[valueStart, valueEnd), valid until the next step. */
  get bytes(): Uint8Array {
    return this.#cursor.bytes;
  }
  get valueStart(): number {
    return this.#cursor.keyEnd;
  }
  get valueEnd(): number {
    return this.#cursor.valueEnd;
  }

  /**
   * Whether the current pair is of the group: from `nextGroup` until `nextValue` says that there are no more values.
   */
  get isInside(): boolean {
    return this.#state === "first" || this.#state === "inside";
  }
  /** The whole key of the current pair is pair.bytes[wholeKeyStart, wholeKeyEnd). */
  get wholeKeyStart(): number {
    return this.#cursor.keyStart;
  }
  get wholeKeyEnd(): number {
    return this.#cursor.keyEnd;
  }

  /** The largest number of values of one key so far. */
  get groupMax(): number {
    return Math.max(this.#groupMax, this.#groupPairs);
  }

  /** The key of the group that is being read, as `key` has it. */
  get currentKey(): Uint8Array {
    return this.key.subarray(this.keyStart, this.keyEnd);
  }

  /** A copy of the key of the largest group so far; undefined: there was none. */
  get largestKey(): Buffer | undefined {
    if (this.#groupPairs > this.#groupMax) return this.#copyOfKey();
    return this.#largest;
  }

  /** Steps to the first or next group; false at the end. Throws `corrupt-run` or `segment-lost`, as every step does. */
  nextGroup(): boolean {
    if (this.#state === "before") {
      if (!this.#cursor.advance()) this.#state = "ended";
    } else {
      while (this.nextValue());
      if (this.#groupPairs > this.#groupMax) this.#noteLargest();
      this.#groupPairs = 0;
    }
    if (this.#state === "ended") return false;
    this.#takeKey();
    this.groups++;
    this.#taken = false;
    this.#state = "first";
    return true;
  }

  /** Steps to the group's first or next value; false at the group's end. */
  nextValue(): boolean {
    switch (this.#state) {
      case "first":
        this.#state = "inside";
        break;
      case "inside":
        if (this.#cursor.isLast) this.#saveKey();
        if (!this.#cursor.advance()) {
          this.#state = "ended";
          return false;
        }
        if (!this.#inGroup()) {
          this.#state = "behind";
          return false;
        }
        break;
      default:
        return false;
    }
    this.pairs++;
    this.#groupPairs++;
    return true;
  }

  /**
   * Returns true the first time it is called for a group, when no one has begun to read its values. A second iteration
   * is the user's error.
   */
  takeValues(): boolean {
    const first = !this.#taken;
    this.#taken = true;
    return first;
  }

  /** Reads and counts all remaining groups, so that every segment is verified. */
  drain(): void {
    while (this.nextGroup());
  }

  /** Closes the files without reading on. */
  close(): void {
    this.#state = "ended";
    this.#cursor.close();
  }

  /** A grouping prefix says where it ends, so a key that begins with the prefix belongs to the group. */
  #inGroup(): boolean {
    const { bytes, keyStart, keyEnd } = this.#cursor;
    const { key, keyStart: from } = this;
    const length = this.keyEnd - from;
    if (this.#shapes === undefined ? keyEnd - keyStart !== length : keyEnd - keyStart < length) return false;
    // Most keys that differ do so early, and a call of Buffer.compare costs as much as comparing about fifty bytes
    // here.
    const looked = length > 64 ? 16 : length;
    for (let i = 0; i < looked; i++) if (key[from + i] !== bytes[keyStart + i]) return false;
    return (
      looked === length ||
      compare.call(key, bytes, keyStart + looked, keyStart + length, from + looked, from + length) === 0
    );
  }

  #takeKey(): void {
    const { bytes, keyStart, keyEnd } = this.#cursor;
    this.key = bytes;
    this.keyStart = keyStart;
    this.keyEnd = this.#shapes === undefined ? keyEnd : groupEnd(bytes, keyStart, keyEnd, this.#shapes);
    assert(this.keyEnd >= keyStart, "a key does not end before it begins");
  }

  /** Called behind the last value of a group, whose key is still there. */
  #noteLargest(): void {
    this.#groupMax = this.#groupPairs;
    this.#largest = this.#copyOfKey();
  }

  #copyOfKey(): Buffer {
    return Buffer.from(this.currentKey);
  }

  #saveKey(): void {
    if (this.key === this.#saved) return;
    const length = this.keyEnd - this.keyStart;
    if (length > this.#saved.length) this.#saved = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#saved.length));
    this.#saved.set(this.key.subarray(this.keyStart, this.keyEnd));
    this.key = this.#saved;
    this.keyStart = 0;
    this.keyEnd = length;
  }
}

const { compare } = Buffer.prototype;
