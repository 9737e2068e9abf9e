// Keys of a sample of the input, as bytes, and the boundaries that cut them into equal parts. It takes pairs as the
// collector does, so that sampling runs the same code as mapping.
import { compareBytes, equalBytes } from "../../base/bytes/bytes.ts";
import { KiB, MiB } from "../../base/limits.ts";
import { groupEnd } from "../../kernel/group.ts";
import type { PartShape } from "../../kernel/kernel.ts";
import type { PairTarget } from "../emit/emitter.ts";
import { readFrame } from "../emit/frame.ts";

const batchBytes = 64 * KiB;
/**
 * The most that is held. Beyond it every second key is dropped, and from then on only every second, fourth, … key is
 * taken.
 */
const heldBytesMax = 16 * MiB;

export class KeySample implements PairTarget {
  readonly arena: Uint8Array = new Uint8Array(batchBytes);
  readonly batchStart = 0;
  readonly batchEnd = batchBytes;
  readonly #shapes: readonly PartShape[] | undefined;
  readonly #heldBytesMax: number;
  #keys: Uint8Array[] = [];
  #bytes = 0;
  #stride = 1;
  #seen = 0;

  constructor(shapes: readonly PartShape[] | undefined, bytesMax = heldBytesMax) {
    this.#shapes = shapes;
    this.#heldBytesMax = bytesMax;
  }

  take(end: number): void {
    for (let at = this.batchStart; at < end; ) {
      const pair = readFrame(this.arena, at, 0);
      this.#add(this.arena, pair.key, pair.value);
      at = pair.end;
    }
  }

  takeLarge(key: Uint8Array): void {
    this.#add(key, 0, key.length);
  }

  /**
   * Where partitions 1, 2, … begin: the quantiles of the keys, with equal ones merged, so there may be fewer than
   * `partitions - 1`. Each is cut to the bytes that tell it from the key before, because a key may have a megabyte, and
   * a plan thousands of boundaries.
   */
  boundaries(partitions: number): Uint8Array[] {
    const keys = this.#keys.sort(compareBytes);
    const boundaries: Uint8Array[] = [];
    for (let partition = 1; partition < partitions; partition++) {
      const index = Math.floor((partition * keys.length) / partitions);
      const key = keys[index];
      if (key === undefined) break;
      const before = lastBelow(keys, index);
      const boundary = before === undefined ? key : separator(before, key);
      const last = boundaries.at(-1);
      if (last === undefined || !equalBytes(last, boundary)) boundaries.push(boundary);
    }
    return boundaries;
  }

  #add(bytes: Uint8Array, start: number, end: number): void {
    if (this.#seen++ % this.#stride !== 0) return;
    const keyEnd = this.#shapes === undefined ? end : groupEnd(bytes, start, end, this.#shapes);
    this.#keys.push(bytes.slice(start, keyEnd));
    this.#bytes += keyEnd - start + 64;
    while (this.#bytes > this.#heldBytesMax && this.#keys.length > 1) {
      this.#keys = this.#keys.filter((_, index) => index % 2 === 0);
      this.#bytes = this.#keys.reduce((sum, key) => sum + key.length + 64, 0);
      this.#stride *= 2;
    }
  }
}

/** The greatest of the sorted keys that is less than keys[index]. */
function lastBelow(keys: readonly Uint8Array[], index: number): Uint8Array | undefined {
  let at = index - 1;
  while (at >= 0 && equalBytes(keys[at]!, keys[index]!)) at--;
  return keys[at];
}

/** The shortest beginning of `key` that is greater than `below`. */
function separator(below: Uint8Array, key: Uint8Array): Uint8Array {
  let shared = 0;
  while (shared < below.length && below[shared] === key[shared]) shared++;
  return key.slice(0, shared + 1);
}
