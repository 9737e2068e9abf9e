// The values of one key as reduce gets them: read once, decoded when they are asked for, never held. Values that reduce
// does not read are still read and verified, by `Groups`.
import { asBuffer } from "../../base/bytes/bytes.ts";
import { readF64 } from "../../base/bytes/f64.ts";
import { MillraceError } from "../../base/error.ts";
import type { StateAggregate } from "../../job/aggregate/aggregate.ts";
import type { Codec } from "../../job/codec.ts";
import { bytes } from "../../job/codecs/bytes.ts";
import { f64Kind } from "../../job/codecs/facts.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { Groups } from "../../sort/group.ts";
import { viewOf } from "../emit/frame.ts";
import type { CallOf, LateCalls } from "../user/late-calls.ts";

/** Where a cursor's pair is. */
export type PairBytes = Groups["pair"];

/** Decodes bytes [start, end) of a pair. */
export type Decoder = (pair: PairBytes, start: number, end: number) => unknown;

/** The codec's `read`, without a view per value where the codec is known. */
export function decoderOf(codec: Codec<unknown>): Decoder {
  if (f64Kind(codec) !== undefined) return (pair, start) => readF64(pair.bytes, start);
  if (codec === (utf8 as Codec<unknown>)) return textDecoder();
  if (codec === (bytes as Codec<unknown>))
    return (pair, start, end) => (start === end ? noBytes : pair.lasting(start, end));
  // Not a Buffer: a user's codec may call `slice` for a copy, and on a Buffer that makes none.
  return (pair, start, end) => codec.read(viewOf(pair.bytes, start, end));
}

/** It contains nothing that could change. */
const noBytes = new Uint8Array(0);

/** Methods of Node's Buffer that its types leave out: `toString` without looking at the encoding's name. */
type SliceableBuffer = Buffer & {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
};

function textDecoder(): Decoder {
  // Blocks come one after the other from the same memory, so their Buffers are made once.
  let last: Uint8Array = new Uint8Array(0);
  let buffer = asBuffer(last) as SliceableBuffer;
  return (pair, start, end) => {
    const { bytes } = pair;
    if (bytes !== last) {
      last = bytes;
      buffer = asBuffer(bytes) as SliceableBuffer;
    }
    // Most keys are short and ASCII, which `latin1Slice` copies; `utf8Slice` takes twice as long.
    if (end - start <= 64) {
      let at = start;
      while (at < end && bytes[at]! < 0x80) at++;
      if (at === end) return buffer.latin1Slice(start, end);
    }
    return buffer.utf8Slice(start, end);
  };
}

/** A reduce that reads values for a long time writes the status page after this many of them. */
export const valuesPerBeat = 0x10000;

/** Where the values of all groups come from: one for all calls of reduce. */
export interface ValueSource {
  readonly groups: Groups;
  readonly read: Decoder;
  /** Reads a pair's key, of which the group's key may be the first parts. */
  readonly readWholeKey: Decoder;
  readonly beat: () => void;
  readonly late: LateCalls;
  readonly of: CallOf;
}

/** One is made for each key, and many keys have one value, so it is small. */
export class GroupValues implements IterableIterator<unknown> {
  readonly #from: ValueSource;
  #state: "open" | "ended" | "failed" = "open";
  /** An error that the engine threw while user code was reading, which may have swallowed it. */
  broken: { readonly thrown: unknown } | undefined;

  constructor(from: ValueSource) {
    this.#from = from;
  }

  [Symbol.iterator](): this {
    if (this.#state !== "open") throw this.#tooLate();
    if (this.#from.groups.takeValues()) return this;
    throw new MillraceError(
      "user-error",
      "the values of a key can be read only once, because they stream from disk. Compute all you need in one loop, or collect them first ([...values]) where they are sure to fit into memory",
    );
  }

  next(): IteratorResult<unknown, undefined> {
    if (this.#state !== "open") throw this.#tooLate();
    const { groups, read } = this.#from;
    if (!this.#step()) return { done: true, value: undefined };
    return { done: false, value: read(groups.pair, groups.valueStart, groups.valueEnd) };
  }

  /** The whole key of the value that was read last, or of the first one. */
  get key(): unknown {
    if (this.#state !== "open") throw this.#tooLate();
    const { groups, readWholeKey } = this.#from;
    if (groups.isInside) return readWholeKey(groups.pair, groups.wholeKeyStart, groups.wholeKeyEnd);
    throw new MillraceError("user-error", "values.key is the key of a value, and all values have been read: keep it");
  }

  /** The result of the job's aggregate over all values, which are its states. */
  fold(aggregate: StateAggregate): unknown {
    const { groups } = this.#from;
    const accumulator = aggregate.begin();
    while (this.#step()) accumulator.add(groups.pair.bytes, groups.valueStart, groups.valueEnd);
    return accumulator.finish();
  }

  #step(): boolean {
    const { groups } = this.#from;
    try {
      if (!groups.nextValue()) return false;
      if (groups.pairs % valuesPerBeat === 0) this.#from.beat();
      return true;
    } catch (thrown) {
      this.broken = { thrown };
      throw thrown;
    }
  }

  /** A loop was left early: the rest is skipped. */
  return(): IteratorResult<unknown, undefined> {
    return { done: true, value: undefined };
  }

  /** Throws to code that goes on after the call of reduce. */
  check(): void {
    if (this.#state !== "open") throw this.#tooLate();
  }

  /** Says that the call of reduce which got these values has ended. */
  end(how: "ended" | "failed"): void {
    this.#state = how;
  }

  #tooLate(): never {
    const from = this.#from;
    throw from.late.refuse("the values of a key were read", from.of, this.#state === "failed");
  }
}
