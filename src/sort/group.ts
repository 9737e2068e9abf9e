import { assert } from "../base/assert.ts";
import { groupEnd } from "../kernel/group.ts";
import type { PartShape } from "../kernel/kernel.ts";
import type { Cursor } from "./run.ts";

/**
 * Groups of equal keys over sorted pairs, or of equal grouping prefixes (`shapes`). Values are handed out one by one, once;
 * what is left of a group when the next is asked for is read and counted all the same. Nothing grows with a group.
 *
 *   while (groups.nextGroup()) {
 *     use(groups.key, groups.keyBytes);
 *     while (groups.nextValue()) use(groups.bytes, groups.valueStart, groups.valueEnd);
 *   }
 */
export class Groups {
  readonly #cursor: Cursor;
  readonly #shapes: readonly PartShape[] | undefined;
  #key: Buffer = Buffer.allocUnsafeSlow(256);
  /** The group's key is key[0, keyBytes), valid until the next group. */
  keyBytes = 0;
  /** Pairs read, and groups begun. */
  pairs = 0;
  groups = 0;
  #groupPairs = 0;
  #groupMax = 0;
  #state: "before" | "first" | "inside" | "behind" | "ended" = "before";
  #taken = false;

  constructor(cursor: Cursor, shapes: readonly PartShape[] | undefined) {
    this.#cursor = cursor;
    this.#shapes = shapes;
  }

  get key(): Uint8Array {
    return this.#key;
  }

  /** The value stepped to is bytes[valueStart, valueEnd), valid until the next step. */
  get bytes(): Uint8Array {
    return this.#cursor.bytes;
  }
  get valueStart(): number {
    return this.#cursor.keyEnd;
  }
  get valueEnd(): number {
    return this.#cursor.valueEnd;
  }

  /** Most values of one key so far. */
  get groupMax(): number {
    return Math.max(this.#groupMax, this.#groupPairs);
  }

  /** Steps to the first or next group; false at the end. Throws `corrupt-run` or `segment-lost`, as all steps do. */
  nextGroup(): boolean {
    if (this.#state === "before") {
      if (!this.#cursor.advance()) this.#state = "ended";
    } else {
      while (this.nextValue());
    }
    if (this.#state === "ended") return false;
    this.#saveKey();
    this.#groupMax = this.groupMax;
    this.#groupPairs = 0;
    this.groups++;
    this.#taken = false;
    this.#state = "first";
    return true;
  }

  /** Steps to the group's first or next value; false at its end. */
  nextValue(): boolean {
    switch (this.#state) {
      case "first":
        this.#state = "inside";
        break;
      case "inside":
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

  /** Whether nobody has begun to read the values of this group: true once. A second iteration is the user's error. */
  takeValues(): boolean {
    const first = !this.#taken;
    this.#taken = true;
    return first;
  }

  /** Reads and counts what is left of all groups, so that every segment is verified. */
  drain(): void {
    while (this.nextGroup());
  }

  /** Lets go of the files without reading on. */
  close(): void {
    this.#state = "ended";
    this.#cursor.close();
  }

  /** A grouping prefix says where it ends, so a key that begins with it has it. */
  #inGroup(): boolean {
    const { bytes, keyStart, keyEnd } = this.#cursor;
    const length = this.keyBytes;
    if (this.#shapes === undefined ? keyEnd - keyStart !== length : keyEnd - keyStart < length) return false;
    const key = this.#key;
    // A call of Buffer.compare costs as much as comparing some fifty bytes here.
    if (length > 64) return key.compare(bytes, keyStart, keyStart + length, 0, length) === 0;
    for (let i = 0; i < length; i++) if (key[i] !== bytes[keyStart + i]) return false;
    return true;
  }

  #saveKey(): void {
    const { bytes, keyStart, keyEnd } = this.#cursor;
    const end = this.#shapes === undefined ? keyEnd : groupEnd(bytes, keyStart, keyEnd, this.#shapes);
    const length = end - keyStart;
    assert(length >= 0, "a key does not end before it begins");
    if (length > this.#key.length) this.#key = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#key.length));
    for (let i = 0; i < length; i++) this.#key[i] = bytes[keyStart + i]!;
    this.keyBytes = length;
  }
}
