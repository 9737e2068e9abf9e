// Cuts chunks of any size into blocks of whole records, about 64 KiB each. Everything that reads delimited records uses
// it.
//
//   chunk 1            chunk 2
//   |..a..|..b..|..c   ..|..d..|      blocks: [a b] [c, carried over] [d]
//
// 64 KiB, because a Latin-1 string of that size is copied into V8's heap at 0.1 ns a byte and then sliced without
// copying; larger blocks leave the processor's cache (measured with bench/micro/lines.bench.ts).
import { assert } from "../../base/assert.ts";
import { asBuffer } from "../../base/bytes/bytes.ts";
import { KiB, limits } from "../../base/limits.ts";
import { formatBytes, formatCount } from "../../base/units.ts";
import { BadRecord, type ReadFrom, type UserThrew } from "../format.ts";
import { LineEnds } from "../lines/ends.ts";
import { type Block, blockBytes } from "./block.ts";
import type { Boundary } from "./boundary.ts";

/** Refuses the record at [start, end) of the file, delimiter included. */
export function badRecordIn({ bytes, base }: Block, why: string | UserThrew, start: number, end: number): BadRecord {
  const content = Uint8Array.from(bytes.subarray(start - base, end - base));
  return typeof why === "string"
    ? new BadRecord(why, start, end, content)
    : new BadRecord(why.message, start, end, content, 0, why);
}

export interface BlockOptions {
  readonly boundary: Boundary;
  /**
   * A longer record is refused. Default `limits.recordBytesMax`. At least `blockBytes`, as records within a block are
   * not measured.
   */
  readonly recordBytesMax?: number | undefined;
  /** Added to the message that a record is too long. */
  readonly hint?: string | undefined;
  /** Whether line ends inside a record that is too long are counted (lines/ends.ts). Default: no. */
  readonly countsLines?: boolean | undefined;
}

/** Bytes of a record over the limit that its dead letter keeps. */
const headBytesKept = 64 * KiB;

/**
 * Yields blocks with all records that begin in [from.start, from.end), where `chunks` begin at `from.start`. The last
 * record of a file need not end with a delimiter. Throws `BadRecord` for a record over the limit; never more than the
 * limit is held of it.
 */
export async function* readBlocks(
  chunks: AsyncIterable<Uint8Array>,
  from: ReadFrom,
  options: BlockOptions,
): AsyncGenerator<Block, void, undefined> {
  if (from.start >= from.end) return;
  const { boundary, recordBytesMax = limits.recordBytesMax } = options;
  assert(recordBytesMax >= blockBytes, "the limit of a record is less than a block");
  /** Counts the line ends of a record that is over the limit. */
  const lineEnds = options.countsLines === true ? new LineEnds() : undefined;
  const count = (piece: Uint8Array) => lineEnds?.add(piece);
  const tooLong = (start: number, end: number, bytes: Uint8Array) =>
    overLimit(start, end, bytes, recordBytesMax, options.hint ?? "", lineEnds);
  /** The beginning of a record whose end has not been seen; for one over the limit, only its head. */
  const carry = new Carry();
  let carried = 0;
  let base = from.start;

  for await (const bytes of chunks) {
    const chunk = asBuffer(bytes);
    let at = 0;
    if (carried > 0) {
      const end = boundary.nextEnd(chunk, 0);
      const piece = chunk.subarray(0, end < 0 ? chunk.length : end);
      carried += piece.length;
      if (carried <= recordBytesMax) carry.add(piece);
      else {
        if (carried - piece.length <= recordBytesMax) carry.pieces.forEach(count);
        count(piece);
        carry.keepHead(headBytesKept);
      }
      if (end >= 0) {
        const start = base + end - carried;
        const record = carry.take();
        if (carried > recordBytesMax) throw tooLong(start, base + end, record);
        yield { bytes: record, base: start };
        carried = 0;
      }
      at = piece.length;
    }
    while (at < chunk.length) {
      if (base + at >= from.end) return;
      const to = Math.min(at + blockBytes, chunk.length, from.end - base);
      let end = boundary.lastEnd(chunk, at, to);
      if (end < 0) {
        boundary.restart();
        end = boundary.nextEnd(chunk, at);
        if (end < 0) {
          carried = chunk.length - at;
          const isTooLong = carried > recordBytesMax;
          if (isTooLong) count(chunk.subarray(at));
          carry.add(isTooLong ? chunk.subarray(at, at + headBytesKept) : chunk.subarray(at));
          break;
        }
        if (end - at > recordBytesMax) {
          count(chunk.subarray(at, end));
          throw tooLong(base + at, base + end, chunk.subarray(at, end));
        }
      }
      yield { bytes: chunk.subarray(at, end), base: base + at };
      at = end;
    }
    base += chunk.length;
  }
  if (carried === 0) return;
  const record = carry.take();
  if (carried > recordBytesMax) throw tooLong(base - carried, base, record);
  yield { bytes: record, base: base - carried };
}

/** Refuses a record that is over the limit. `bytes` is its beginning, or more. */
function overLimit(
  start: number,
  end: number,
  bytes: Uint8Array,
  recordBytesMax: number,
  hint: string,
  lineEnds: LineEnds | undefined,
): BadRecord {
  return new BadRecord(
    `the record has ${formatCount(end - start)} bytes, more than the limit of ${formatBytes(recordBytesMax)}${hint}`,
    start,
    end,
    Uint8Array.from(bytes.subarray(0, headBytesKept)),
    lineEnds?.inside,
  );
}

/**
 * Copies of the pieces of a record, joined once it is whole: a growing buffer would take three times as much for a
 * while.
 */
class Carry {
  #pieces: Buffer[] = [];

  get pieces(): readonly Uint8Array[] {
    return this.#pieces;
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(Buffer.from(piece));
  }

  /** Forgets everything but the first `bytes` bytes. */
  keepHead(bytes: number): void {
    if (this.#pieces.length > 1 || (this.#pieces[0]?.length ?? 0) > bytes) this.#pieces = [this.take(bytes)];
  }

  /** Returns what there is, at most `bytes` bytes of it, and forgets everything. */
  take(bytes?: number): Buffer {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces.length === 1 && bytes === undefined ? pieces[0]! : Buffer.concat(pieces, bytes);
  }
}
