// A block of whole records as strings. The hot loop of everything that reads text, so it is written for the four kinds
// of block there are, per 50-byte line on the machine of bench/micro/lines.bench.ts:
//
//   ASCII                 one Latin-1 string of the block, sliced                                        45 ns
//   few lines are not     the same; those lines decoded one by one                                      50 ns
//   many lines are not    also transcoded to UTF-16 as a whole; ASCII lines stay slices of the Latin-1    95 ns
//                         string, so that their characters take one byte (one by one: 212 ns,
//                         Cyrillic 600 ns)
//   not UTF-8             line by line, which finds the bad ones; so are records that only a rule can tell apart
import { isAscii, isUtf8, transcode } from "node:buffer";
import type { Block } from "../blocks/block.ts";
import { blockBytes } from "../blocks/block.ts";
import type { Boundary } from "../blocks/boundary.ts";
import { otherEncoding } from "../blocks/content.ts";
import { badRecordIn } from "../blocks/reader.ts";
import type { BadRecord, RecordBatch } from "../format.ts";

export interface LineOptions {
  readonly delimiter: string;
  /** One "\r" before the delimiter is not part of the record. */
  readonly stripCarriageReturn: boolean;
  /** Line feeds behind an odd number of quotes are part of the record; the delimiter is "\n" then. */
  readonly quoted?: boolean;
  /** Where records end, where a delimiter and quotes don't say it. They still end with "\n". */
  readonly rule?: RecordRule;
  readonly invalid: "fail" | "replace";
}

export interface RecordRule {
  boundary(): Boundary;
  /** The byte behind which a carriage return is part of the record; -1: there is none. */
  readonly escape: number;
  /** Whether records may hold line feeds. */
  readonly multiline: boolean;
}

/** Records of one block, and the block's bytes for error messages; both are valid until the next batch is asked for. */
export interface LineBatch extends RecordBatch<string> {
  readonly block: Block;
  /** Set when the record behind these is not UTF-8: to be thrown after they have been used. */
  readonly bad: BadRecord | undefined;
}

/** Filled by one call of `decode`, which copies from it: at most one record per byte of a block. */
const scratch = new Float64Array(blockBytes + 1);

/** Decodes the blocks of one file, in order. */
export class LineDecoder {
  readonly #options: LineOptions;
  /** The delimiter's bytes as characters, for the Latin-1 view of a block. */
  readonly #latin1Delimiter: string;
  /** Whether the last block had so few non-ASCII lines that it is better to decode them one by one. */
  #sparse = true;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#latin1Delimiter = Buffer.from(options.delimiter).toString("latin1");
  }

  /** Decodes all records of the block, without delimiters. Skips a byte order mark at the start of the file. */
  decode(block: Block): LineBatch {
    const { bytes, base } = block;
    const mark = byteOrderMark(bytes, base);
    const records: string[] = [];
    let bad: BadRecord | undefined;
    let replaced = 0;
    let end = base + bytes.length;
    const { rule } = this.#options;
    if (rule === undefined && isAscii(bytes)) this.#ascii(bytes, base, records);
    else if (rule === undefined && isUtf8(bytes)) {
      if (this.#sparse) this.#few(bytes, base, mark, records);
      else this.#many(bytes, base, mark, records);
    } else {
      [bad, replaced] = this.#oneByOne(block, mark, records, rule);
      if (bad !== undefined) end = bad.start;
    }
    const starts = scratch.slice(0, records.length);
    // the mark belongs to the first record, so that offset 0 is a record's start
    if (mark > 0 && records.length > 0) starts[0] = 0;
    return { records, starts, end, replaced, block, bad };
  }

  #ascii(bytes: Buffer, base: number, records: string[]): void {
    const text = bytes.toString("latin1");
    const ends = this.#ends(text, this.#latin1Delimiter);
    const strip = this.#options.stripCarriageReturn;
    for (let at = 0; at < text.length; ) {
      const end = ends.next(at);
      scratch[records.length] = base + at;
      records.push(text.slice(at, strip && endsInCarriageReturn(text, at, end) ? end - 1 : end));
      at = ends.behind(end);
    }
  }

  #few(bytes: Buffer, base: number, mark: number, records: string[]): void {
    const text = bytes.toString("latin1");
    const ends = this.#ends(text, this.#latin1Delimiter);
    const strip = this.#options.stripCarriageReturn;
    let next = nextNonAscii(bytes, mark);
    let decoded = 0;
    for (let at = mark; at < text.length; ) {
      const end = ends.next(at);
      const stripped = strip && endsInCarriageReturn(text, at, end) ? end - 1 : end;
      scratch[records.length] = base + at;
      if (next >= stripped) records.push(text.slice(at, stripped));
      else {
        records.push(bytes.toString("utf8", at, stripped));
        decoded++;
        next = nextNonAscii(bytes, end);
      }
      at = ends.behind(end);
    }
    this.#sparse = decoded * 8 <= records.length;
  }

  #many(bytes: Buffer, base: number, mark: number, records: string[]): void {
    const text = bytes.toString("latin1");
    const ends = this.#ends(text, this.#latin1Delimiter);
    const units = transcode(bytes, "utf8", "utf16le");
    const wide = units.toString("utf16le");
    const wideEnds = this.#ends(wide, this.#options.delimiter);
    const strip = this.#options.stripCarriageReturn;
    let decoded = 0;
    for (let at = mark, wideAt = mark > 0 ? 1 : 0; at < text.length; ) {
      const end = ends.next(at);
      const wideEnd = wideEnds.next(wideAt);
      const cut = strip && endsInCarriageReturn(text, at, end) ? 1 : 0;
      scratch[records.length] = base + at;
      // As many bytes as UTF-16 units means that all of them are ASCII.
      if (end - at === wideEnd - wideAt) records.push(text.slice(at, end - cut));
      else {
        records.push(wide.slice(wideAt, wideEnd - cut));
        decoded++;
      }
      at = ends.behind(end);
      wideAt = wideEnds.behind(wideEnd);
    }
    this.#sparse = decoded * 16 <= records.length;
  }

  #oneByOne(
    block: Block,
    mark: number,
    records: string[],
    rule: RecordRule | undefined,
  ): [bad: BadRecord | undefined, replaced: number] {
    const { bytes, base } = block;
    const text = bytes.toString("latin1");
    const ends = rule === undefined ? this.#ends(text, this.#latin1Delimiter) : new RuleEnds(bytes, rule);
    let replaced = 0;
    for (let at = mark; at < text.length; ) {
      const end = ends.next(at);
      const behind = ends.behind(end);
      const strip = this.#options.stripCarriageReturn && endsInCarriageReturn(text, at, end);
      const isKept = strip && rule !== undefined && isEscaped(bytes, at, end - 1, rule.escape);
      const record = bytes.subarray(at, strip && !isKept ? end - 1 : end);
      if (!isUtf8(record)) {
        if (this.#options.invalid === "fail") {
          const start = mark > 0 && at === mark ? 0 : at;
          const wrong = firstInvalid(record);
          const byte = `byte 0x${record[wrong]!.toString(16)} at offset ${base + at + wrong}`;
          const message = `the record is not UTF-8 (${byte}). Where the file is in another encoding ${otherEncoding}; text({ invalid: "replace" }) and lines() read it as it is`;
          const behindRecord = base + Math.min(behind, bytes.length);
          return [badRecordIn(block, message, base + start, behindRecord), replaced];
        }
        replaced++;
      }
      scratch[records.length] = base + at;
      records.push(record.toString("utf8"));
      at = behind;
    }
    return [undefined, replaced];
  }

  #ends(text: string, delimiter: string): Ends {
    return this.#options.quoted && text.includes('"') ? new QuotedEnds(text) : new Ends(text, delimiter);
  }
}

/** Bytes of the mark at the beginning of the file; `base` is the offset in the file of `bytes`. */
export function byteOrderMark(bytes: Uint8Array, base: number): number {
  return base === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Ends of the records in a string: a record's end is the index of its delimiter. */
class Ends {
  protected readonly text: string;
  readonly #delimiter: string;
  readonly #length: number;

  constructor(text: string, delimiter: string) {
    this.text = text;
    this.#delimiter = delimiter;
    this.#length = delimiter.length;
  }

  next(at: number): number {
    const end = this.text.indexOf(this.#delimiter, at);
    return end < 0 ? this.text.length : end;
  }

  behind(end: number): number {
    return end + this.#length;
  }
}

class QuotedEnds extends Ends {
  /** The index of the first quote that has not been passed. */
  #quote = -1;

  constructor(text: string) {
    super(text, "\n");
    this.#quote = indexOrLength(text, '"', 0);
  }

  override next(at: number): number {
    const text = this.text;
    let end = indexOrLength(text, "\n", at);
    while (this.#quote < end) {
      const close = indexOrLength(text, '"', this.#quote + 1);
      if (close > end) end = indexOrLength(text, "\n", close);
      this.#quote = indexOrLength(text, '"', close + 1);
    }
    return end;
  }
}

class RuleEnds {
  readonly #bytes: Buffer;
  readonly #boundary: Boundary;

  constructor(bytes: Buffer, rule: RecordRule) {
    this.#bytes = bytes;
    this.#boundary = rule.boundary();
  }

  next(at: number): number {
    this.#boundary.restart();
    const end = this.#boundary.nextEnd(this.#bytes, at);
    return end < 0 ? this.#bytes.length : end - 1;
  }

  behind(end: number): number {
    return end + 1;
  }
}

/** Whether an odd number of escapes stands right before the byte at `at`, in a record that begins at `start`. */
function isEscaped(bytes: Buffer, start: number, at: number, escaper: number): boolean {
  let first = at;
  while (first > start && bytes[first - 1] === escaper) first--;
  return (at - first) % 2 === 1;
}

/**
 * The index of the first byte >= 80, or the end. `isAscii` takes 0.2 us for 4 KiB; a regular expression takes seven
 * times that.
 */
function nextNonAscii(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 4096) {
    const end = Math.min(at + 4096, bytes.length);
    if (isAscii(bytes.subarray(at, end))) continue;
    for (let i = at; i < end; i++) if (bytes[i]! >= 0x80) return i;
  }
  return bytes.length;
}

function indexOrLength(text: string, wanted: string, from: number): number {
  const at = text.indexOf(wanted, from);
  return at < 0 ? text.length : at;
}

function endsInCarriageReturn(text: string, start: number, end: number): boolean {
  return end > start && end < text.length && text.charCodeAt(end - 1) === 13;
}

/**
 * The index of the first byte that can't be decoded: the first U+FFFD of the decoded text that is not written EF BF BD
 * in the bytes.
 */
function firstInvalid(bytes: Buffer): number {
  const text = bytes.toString("utf8");
  let index = 0;
  for (let from = 0; ; ) {
    const at = text.indexOf("\ufffd", from);
    if (at < 0) return bytes.length;
    index += Buffer.byteLength(text.slice(from, at));
    if (bytes[index] !== 0xef || bytes[index + 1] !== 0xbf || bytes[index + 2] !== 0xbd) return index;
    index += 3;
    from = at + 1;
  }
}
