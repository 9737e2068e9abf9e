// `emit`, as a synchronous map sees it: the hot path of the engine. Pairs are encoded straight into the kernel's batch,
// where those of the current record lie behind `mark` and can be taken back until the record counts.
//
//   batchStart ─ pairs of finished records ─ mark ─ pairs of the current record ─ at ─ free ─ batchEnd
//
// When the batch is full, the part before `mark` goes to the collector and the rest moves to the front. Only a record
// that fills a whole batch by itself loses pairs to the collector before it has ended: then `rollback` says that it
// can't be undone.
import { loopLengthMax, writeUtf8At } from "../../base/bytes/byte-buffer.ts";
import { varintLength } from "../../base/bytes/bytes.ts";
import { limits } from "../../base/limits.ts";
import type { RecordTexts } from "../../format/format.ts";
import type { Codec } from "../../job/codec.ts";
import { bytes as bytesCodec } from "../../job/codecs/bytes.ts";
import { f64Kind } from "../../job/codecs/facts.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { partitionBytes, readFrame, readPartition, viewOf } from "./frame.ts";
import type { PairEncoder } from "./pair-encoder.ts";

/** Takes the pairs: the collector of a map attempt, or a sample. */
export interface PairTarget {
  readonly arena: Uint8Array;
  /** Where pairs are written: arena[batchStart, batchEnd), fixed for the target's life. */
  readonly batchStart: number;
  readonly batchEnd: number;
  /** Takes the whole pairs in arena[batchStart, end). Does not write to the batch. */
  take(end: number): void;
  /** Takes a pair that is too large for the batch; `partition` is given where the job's own function chooses it. */
  takeLarge(key: Uint8Array, value: Uint8Array, partition: number | undefined): void;
}

/** For shorter texts it takes less time to look at the characters one by one. */
const copiedLengthMin = 12;

export type PairEmit = (key: unknown, value: unknown) => void;

/** What encodes and takes the pairs of one map pass; the pass calls everything but `emit`, which user code calls. */
export interface Emitter {
  readonly emit: PairEmit;
  /**
   * Takes pairs from here on. The emitter is closed at first. `texts` belong to a batch; the record with this index in
   * it comes first.
   */
  open(texts?: RecordTexts, record?: number): void;
  /** Sends pairs to `redirect` from here on. */
  close(): void;
  /**
   * Gets the pairs that are emitted while the emitter is closed: the record's own buffer, or a function that throws.
   */
  redirect: PairEmit;
  /** Makes the current record's pairs count, and begins the next record. */
  commit(): void;
  /** Takes back the current record's pairs. Returns false where some of them have left the batch already. */
  rollback(): boolean;
  /** Takes back the current record's pairs and returns a copy of them, framed as in the batch. */
  detach(): { readonly pairs: Uint8Array; readonly left: boolean };
  /** Adds framed pairs to the current record. */
  append(pairs: Uint8Array, length: number): void;
  /** Hands the whole batch to the collector. Called only between records. */
  flush(): void;
  /** The error that the collector threw: the attempt can't go on, whatever user code made of the error. */
  readonly broken: { readonly thrown: unknown } | undefined;
}

export function createEmitter(encoder: PairEncoder, target: PairTarget): Emitter {
  const { arena, batchStart, batchEnd } = target;
  const view = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
  const double = new Float64Array(1);
  const words = new Uint32Array(double.buffer);
  const { choose } = encoder;
  const header = choose === undefined ? 0 : partitionBytes;
  const pairBytesMax = Math.min(limits.batchPairBytesMax, batchEnd - batchStart);
  const isNumber = numberCheck(encoder.value);
  /** Partition, lengths and an 8-byte value. */
  const spareBytes = header + 16;
  /** Bytes that always fit beside them, and the same in UTF-16 units. */
  const fastBytesMax = pairBytesMax - spareBytes;
  const fastLengthMax = Math.floor(fastBytesMax / 3);
  /** Longer texts are not looked at character by character. */
  const shortLengthMax = Math.min(copiedLengthMin - 1, fastLengthMax);

  let at = batchStart;
  let mark = batchStart;
  let left = false;
  let broken: { readonly thrown: unknown } | undefined;
  /**
   * The offset at which a pair's text must end at the latest; -1 while nothing may be emitted, so that one comparison
   * checks both.
   */
  let limit = -1;
  /** The texts of the batch that is being mapped, and the current record's index in it. */
  let texts: RecordTexts | undefined;
  let record = 0;
  let lastValue: unknown = Number.NaN;
  /** The number whose bytes are the encoded `lastValue`. */
  let encoded = 0;

  const emitter: Emitter = {
    emit: fastEmit() ?? emitAny,
    redirect: () => {},
    open(now, first = 0) {
      limit = batchEnd - spareBytes;
      texts = now?.isCurrent ? now : undefined;
      record = first;
    },
    close() {
      limit = -1;
      texts = undefined;
    },
    commit() {
      record++;
      mark = at;
      left = false;
    },
    rollback() {
      at = mark;
      const undone = !left;
      left = false;
      return undone;
    },
    detach() {
      const detached = { pairs: arena.slice(mark, at), left };
      at = mark;
      left = false;
      return detached;
    },
    append,
    flush() {
      handOver(at);
      at = mark = batchStart;
    },
    get broken() {
      return broken;
    },
  };
  return emitter;

  /** The loop made for the job's codecs. */
  function fastEmit(): PairEmit | undefined {
    const { key, value } = encoder as { readonly key: unknown; readonly value: unknown };
    if (key === utf8 && isNumber !== undefined) return choose === undefined ? emitTextNumber : emitAnyTextNumber;
    if (key === utf8 && value === utf8) return emitTexts;
    if (key === bytesCodec && value === bytesCodec) return emitBytes;
    return undefined;
  }

  /**
   * Emits a short ASCII text and a number, as most jobs do. It allocates nothing, makes no view, calls nothing but
   * `makeRoom`, and is so little code that it is compiled into the user's own loop. Everything else goes to
   * `emitAnyTextNumber`.
   */
  function emitTextNumber(key: unknown, value: unknown): void {
    if (typeof key !== "string" || (value !== lastValue && !encodeNumber(value))) {
      emitAny(key, value);
      return;
    }
    const length = key.length;
    if (length > shortLengthMax || (at + length > limit && !openRoom(length))) {
      emitAnyTextNumber(key, value);
      return;
    }
    let end = at + 2;
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit > 0x7f) {
        emitAnyTextNumber(key, value);
        return;
      }
      arena[end++] = unit;
    }
    arena[at] = length;
    arena[at + 1] = 8;
    view.setFloat64(end, encoded);
    at = end + 8;
  }

  /**
   * Emits any text and a number, still without allocation. Unusual pairs go to `emitAny`, whose codecs word the errors.
   */
  function emitAnyTextNumber(key: unknown, value: unknown): void {
    if (typeof key !== "string" || (value !== lastValue && !encodeNumber(value))) {
      emitAny(key, value);
      return;
    }
    const length = key.length;
    if (length > fastLengthMax || (at + length * 3 > limit && !openRoom(length * 3))) {
      emitAny(key, value);
      return;
    }
    const lengthAt = at + header;
    // Reserves one or two bytes for the key's length, as if it were ASCII; corrected below where it is not.
    const reserved = length < 128 ? 1 : 2;
    const start = lengthAt + reserved + 1;
    let end = start;
    const from = length < copiedLengthMin || texts === undefined ? -1 : texts.startOf(key, record);
    if (from >= 0) {
      // `from` is -1 where there are no `texts`.
      end = copyAscii(texts!.view, from, start, length);
    } else if (length > loopLengthMax) {
      end = writeUtf8At(arena, start, key);
      if (end < 0) {
        emitAny(key, value);
        return;
      }
    } else {
      let i = 0;
      for (; i + 4 <= length; i += 4) {
        const a = key.charCodeAt(i);
        const b = key.charCodeAt(i + 1);
        const c = key.charCodeAt(i + 2);
        const d = key.charCodeAt(i + 3);
        if ((a | b | c | d) >= 0x80) break;
        view.setInt32(end, a | (b << 8) | (c << 16) | (d << 24), true);
        end += 4;
      }
      for (; i < length; i++) {
        const unit = key.charCodeAt(i);
        if (unit < 0x80) {
          arena[end++] = unit;
        } else if (unit < 0x800) {
          arena[end++] = 0xc0 | (unit >> 6);
          arena[end++] = 0x80 | (unit & 63);
        } else if (unit < 0xd800 || unit > 0xdfff) {
          arena[end++] = 0xe0 | (unit >> 12);
          arena[end++] = 0x80 | ((unit >> 6) & 63);
          arena[end++] = 0x80 | (unit & 63);
        } else {
          end = writeUtf8At(arena, start, key);
          if (end < 0) {
            emitAny(key, value);
            return;
          }
          break;
        }
      }
    }
    const keyBytes = end - start;
    if (keyBytes < 128) {
      arena[lengthAt] = keyBytes; // an ASCII length of 128 or more has at least as many bytes
    } else {
      if (reserved === 1) {
        arena.copyWithin(start + 1, start, end);
        end++;
      }
      arena[lengthAt] = (keyBytes & 127) | 128;
      arena[lengthAt + 1] = keyBytes >> 7;
    }
    arena[end - keyBytes - 1] = 8;
    view.setFloat64(end, encoded);
    if (choose !== undefined) view.setUint32(at, choose(key), true);
    at = end + 8;
  }

  /**
   * Copies the bytes of an ASCII text to the batch, and up to 3 more, and returns the end of the text. The doubles are
   * never a NaN, whose bits might change on the way: the second highest byte of a NaN is f0 or above.
   */
  function copyAscii(from: DataView, start: number, to: number, length: number): number {
    let i = 0;
    for (; i + 8 <= length; i += 8) view.setFloat64(to + i, from.getFloat64(start + i, true), true);
    for (; i < length; i += 4) view.setInt32(to + i, from.getInt32(start + i, true), true);
    return to + length;
  }

  /** Emits two texts, in the manner of `emitTextNumber`. */
  function emitTexts(key: unknown, value: unknown): void {
    if (typeof key !== "string" || typeof value !== "string") {
      emitAny(key, value);
      return;
    }
    const room = (key.length + value.length) * 3;
    if (room > fastBytesMax || (at + room > limit && !openRoom(room))) {
      emitAny(key, value);
      return;
    }
    // As many bytes for the lengths as if both were ASCII; a text that is not, and takes more, is an exception.
    const keyAt = at + header;
    const valueAt = keyAt + (key.length < 128 ? 1 : 2);
    const start = valueAt + (value.length < 128 ? 1 : 2);
    const middle = writeUtf8At(arena, start, key);
    const end = middle < 0 ? -1 : writeUtf8At(arena, middle, value);
    if (end < 0 || writeLength(keyAt, middle - start) !== valueAt || writeLength(valueAt, end - middle) !== start) {
      emitAny(key, value);
      return;
    }
    if (choose !== undefined) view.setUint32(at, choose(key), true);
    at = end;
  }

  /** Emits two byte arrays, in the manner of `emitTextNumber`. */
  function emitBytes(key: unknown, value: unknown): void {
    if (!(key instanceof Uint8Array && value instanceof Uint8Array)) {
      emitAny(key, value);
      return;
    }
    const keyBytes = key.length;
    const valueBytes = value.length;
    const room = keyBytes + valueBytes;
    if (room > fastBytesMax || (at + room > limit && !openRoom(room))) {
      emitAny(key, value);
      return;
    }
    const start = writeLength(writeLength(at + header, keyBytes), valueBytes);
    arena.set(key, start);
    if (valueBytes > 0) arena.set(value, start + keyBytes);
    if (choose !== undefined) view.setUint32(at, choose(key), true);
    at = start + room;
  }

  /**
   * Makes room for a pair of a text of this many bytes and a number, or of two texts. Returns false when nothing may be
   * emitted now.
   */
  function openRoom(bytes: number): boolean {
    if (limit < 0) return false;
    makeRoom(spareBytes + bytes);
    return true;
  }

  function emitAny(key: unknown, value: unknown): void {
    if (limit < 0) {
      emitter.redirect(key, value);
      return;
    }
    encoder.encode(key, value);
    const { bytes, keyEnd, end } = encoder;
    const total = header + varintLength(keyEnd) + varintLength(end - keyEnd) + end;
    if (total > pairBytesMax) {
      addLarge(encoder.keyView, encoder.valueView, encoder.partition);
      return;
    }
    if (at + total > batchEnd) makeRoom(total);
    let to = at;
    if (choose !== undefined) {
      view.setUint32(to, encoder.partition, true);
      to += partitionBytes;
    }
    to = writeLength(writeLength(to, keyEnd), end - keyEnd);
    if (end < 64) for (let i = 0; i < end; i++) arena[to + i] = bytes[i]!;
    // `subarray` of a Buffer would take three times as long.
    else arena.set(new Uint8Array(bytes.buffer, bytes.byteOffset, end), to);
    at = to + end;
  }

  /**
   * Encodes as `writeF64` does, and keeps the result for the next pair, as most jobs emit the same number repeatedly.
   * Returns false where the codec refuses the number, or where its bytes would be those of a NaN, whose bits JavaScript
   * does not keep (numbers from -2^-1022 to 0).
   */
  function encodeNumber(value: unknown): boolean {
    // `fastEmit` chooses the functions that call this only where there is an `isNumber`.
    if (typeof value !== "number" || !isNumber!(value)) return false;
    double[0] = value + 0;
    const high = words[1]!;
    if ((high & 0x80000000) === 0) {
      words[1] = high ^ 0x80000000;
    } else {
      if ((high & 0x7ff00000) === 0) return false;
      words[1] = ~high;
      words[0] = ~words[0]!;
    }
    encoded = double[0];
    lastValue = value;
    return true;
  }

  function writeLength(to: number, length: number): number {
    let rest = length;
    let next = to;
    while (rest >= 128) {
      arena[next++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    arena[next] = rest;
    return next + 1;
  }

  function makeRoom(bytes: number): void {
    if (mark > batchStart) {
      handOver(mark);
      arena.copyWithin(batchStart, mark, at);
      at -= mark - batchStart;
      mark = batchStart;
    }
    if (at + bytes > batchEnd) {
      handOver(at);
      at = mark;
      left = true;
    }
  }

  function addLarge(key: Uint8Array, value: Uint8Array, partition: number): void {
    handOver(at); // the pairs before it come first
    at = mark = batchStart;
    left = true;
    try {
      target.takeLarge(key, value, choose === undefined ? undefined : partition);
    } catch (thrown) {
      broken ??= { thrown };
      throw thrown;
    }
  }

  function handOver(end: number): void {
    if (broken !== undefined) throw broken.thrown;
    if (end === batchStart) return;
    try {
      target.take(end);
    } catch (thrown) {
      broken = { thrown };
      throw thrown;
    }
  }

  function append(pairs: Uint8Array, length: number): void {
    let from = 0;
    while (from < length) {
      const pair = readFrame(pairs, from, header);
      const total = pair.end - from;
      if (total > pairBytesMax) {
        const partition = header === 0 ? 0 : readPartition(pairs, from);
        addLarge(viewOf(pairs, pair.key, pair.value), viewOf(pairs, pair.value, pair.end), partition);
      } else {
        if (at + total > batchEnd) makeRoom(total);
        arena.set(pairs.subarray(from, pair.end), at);
        at += total;
      }
      from = pair.end;
    }
  }
}

/** For the codecs that write a number as 8 ordered bytes: which numbers they take. */
function numberCheck(codec: Codec<unknown>): ((value: number) => boolean) | undefined {
  switch (f64Kind(codec)) {
    case "uint":
      return (value) => Number.isSafeInteger(value) && value >= 0;
    case "int":
      return Number.isSafeInteger;
    case "float64":
      return (value) => !Number.isNaN(value);
    case undefined:
      return undefined;
  }
}
