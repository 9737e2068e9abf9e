// The interface of formats, and the hidden ones that built-in formats have beside it. Each format has a file of its
// name in the folder of its kind; what several kinds share stands in `blocks/` and `compression/`.

import type { ByteWriter } from "../base/bytes/bytes.ts";
import { messageOf } from "../base/value/message.ts";
import type { Shape } from "../job/codecs/shape.ts";
import type { Block } from "./blocks/block.ts";

/** Some records of a file, in order, with where each begins and where reading stopped. */
export interface RecordBatch<In> {
  /** The records, in the order of the file. */
  readonly records: readonly In[];
  /**
   * Offset of each record's first byte in the file, or in its decompressed content. Has at least `records.length`
   * entries.
   */
  readonly starts: Float64Array;
  /** Offset behind the last record and its delimiter: where the next record begins. */
  readonly end: number;
  /** How many records between these were passed over because their mapper emits nothing for them. Left out: 0. */
  readonly skipped?: number;
  /**
   * How many of these records had bytes that are not UTF-8, replaced by U+FFFD (`text({ invalid: "replace" })`).
   * Left out: 0.
   */
  readonly replaced?: number;
  /**
   * Line ends inside a record, by its index; valid until the next batch is asked for. Left out: there are none.
   * Internal.
   */
  readonly lines?: (index: number) => number;
  /** Finds the bytes of these records' strings. Left out: their strings have to be encoded. Internal. */
  readonly texts?: RecordTexts;
}

/** Where the bytes of a batch's ASCII strings still are, so that emitting such a string is copying them. Internal. */
export interface RecordTexts {
  /** False once another batch has been read: the bytes are gone. */
  readonly isCurrent: boolean;
  /** The bytes. At least 3 more can be read behind each text. */
  readonly view: DataView;
  /** Where `text` begins in `view`, if it is a string of that record; otherwise -1. */
  startOf(text: string, record: number): number;
}

/** The byte range to read. */
export interface ReadFrom {
  /** Offset where reading begins, which is where a record begins. */
  readonly start: number;
  /** Records that begin before this offset are read; `Infinity`: all (compressed files, whole files). */
  readonly end: number;
  /** The file's first 64 KiB, or its header where the format says how to find it. */
  readonly head: Uint8Array;
}

/** Reads files as records of type `In`, in batches that say where each record begins. */
export interface InputFormat<In> {
  /** "anywhere": reading may begin at any byte, with the next record; "whole-file": only at the start of a file. */
  readonly split: "anywhere" | "whole-file";
  /**
   * For "anywhere": index of the first record that begins after bytes[0] (so always >= 1); -1: more bytes needed, or,
   * where there are no more, no record begins behind bytes[0].
   *
   * Planning moves a wanted split start to a true record start with it. It passes the bytes from `wanted - 1` on, so
   * that a record that begins exactly at `wanted` is found by the delimiter in bytes[0]: result i means that a record
   * begins at `wanted - 1 + i`. What is returned must be the start of a record of the sequential reading, whatever
   * stands before bytes[0]; it need not be the nearest one (a delimiter of several bytes may begin before bytes[0] and
   * so be missed), because the end of a split is the start of the next. `bytes` may end anywhere; more of them never
   * change a result >= 0.
   */
  recordStart?(bytes: Uint8Array): number;
  /**
   * Reads records, in batches. `chunks` begin at `from.start`, where a record begins, go on to the end of the file, and
   * may be of any size. Use each chunk before asking for the next, and let no record keep its memory. Stop before the
   * first record that begins at or behind `from.end`. For a record that can't be read, throw: the task fails with the
   * file and this batch's place in it.
   */
  read(chunks: AsyncIterable<Uint8Array>, from: ReadFrom): AsyncIterable<RecordBatch<In>>;
}

/** Writes records of type `Out`; one file per partition. */
export interface OutputFormat<Out> {
  /** Ends the names of part files: "tsv", "ndjson", … At most 16 letters, digits and dots. */
  readonly extension: string;
  /** Appends one record with its delimiter. Throw for a record that would not be read back the same. */
  write(record: Out, out: ByteWriter): void;
  /**
   * Appends what a file begins with. Called once per part file, but once in all on standard output. Left out: nothing.
   */
  header?(out: ByteWriter): void;
}

/**
 * A format that wants to know what the records are made of before the first of them is written: it is asked for the
 * format that writes such. Internal.
 */
export interface FittingFormat {
  /** Undefined: it writes them as it is. */
  fitTo(record: Shape): OutputFormat<unknown> | undefined;
}

/** The format for records of this shape. */
export function fitTo(format: OutputFormat<unknown>, record: Shape): OutputFormat<unknown> {
  return (format as Partial<FittingFormat>).fitTo?.(record) ?? format;
}

/**
 * A format that reads and writes. It may write more types than it reads back: `tsv()` writes numbers, and reads text.
 */
export interface Format<In, Out = In> extends InputFormat<In>, OutputFormat<Out> {}

/**
 * A format whose record starts can't be found locally (csv with line ends in quotes: parity from the start of the file;
 * records of fixed length: arithmetic). Given the whole file and ascending offsets, the first record start at or behind
 * each (the file's size where there is none). Internal: planning uses it instead of `recordStart`. `chunks` must be
 * lazy, as not all formats read them, and are read only as far as the last wanted offset needs.
 */
export interface ScannedFormat {
  findStarts(chunks: AsyncIterable<Uint8Array>, wanted: readonly number[], size: number): Promise<readonly number[]>;
}

/**
 * A format whose files begin with something that is needed to read them from their middle (the header of csv).
 * Internal: where a file is cut, planning finds it once, and `ReadFrom.head` is all of it.
 */
export interface HeadedFormat {
  /**
   * The offset behind it; 0: the file has none. `chunks` are the file's, decompressed, and read only as far as needed.
   */
  findHeaderEnd(chunks: AsyncIterable<Uint8Array>): Promise<number>;
}

/**
 * A format of UTF-8 lines that end with LF or CR LF, which can give whole blocks of them to a built-in mapper.
 * Internal.
 */
export interface BlockFormat {
  /** Reads as `InputFormat.read` does, for built-in mappers. A block is valid until the next one is asked for. */
  readBlocks(chunks: AsyncIterable<Uint8Array>, from: ReadFrom): AsyncIterable<Block>;
}

/** A format whose records are lines as bytes, which can give whole blocks of them to a built-in mapper. Internal. */
export interface ByteLineFormat {
  /** Reads as `InputFormat.read` does, for built-in mappers. A block is valid until the next one is asked for. */
  readByteLines(chunks: AsyncIterable<Uint8Array>, from: ReadFrom): AsyncIterable<Block>;
}

/**
 * How a format writes whose records are lines that end with a line feed: what its records are, and whether a line may
 * end with CR.
 */
export interface LineWriting {
  readonly records: "bytes" | "text";
  readonly refusesCarriageReturn: boolean;
}

const lineWriters = new WeakMap<object, LineWriting>();

/** Remembers that exactly this format, and no copy of it with a `write` of its own, writes lines. */
export function writesLines<F extends object>(format: F, writing: LineWriting): F {
  lineWriters.set(format, writing);
  return format;
}

/** How the format writes lines; undefined where that is not known. */
export function lineWriting(format: object): LineWriting | undefined {
  return lineWriters.get(format);
}

/**
 * A record that the format refuses, thrown by a reader in place of a batch's records: `read` yields the records before
 * it, then throws this; the caller names the file, and may go on reading at `end` (`--skip-bad`). `end` undefined:
 * can't go on.
 */
export class BadRecord extends Error {
  override readonly name = "BadRecord";
  readonly start: number;
  readonly end: number | undefined;
  /**
   * The record's bytes from `start` to `end`, its delimiter included, or their beginning; at most
   * `limits.recordBytesMax`, for the dead letter.
   */
  readonly bytes: Uint8Array;
  /** Line ends inside it, where lines are what such files are made of: each counts as a bad record. */
  readonly lines: number;
  /** What the job's own code threw when it was to check the record; undefined: it is the format that refuses it. */
  readonly by: UserThrew | undefined;

  constructor(message: string, start: number, end: number | undefined, bytes: Uint8Array, lines = 0, by?: UserThrew) {
    super(message);
    this.start = start;
    this.end = end;
    this.bytes = bytes;
    this.lines = lines;
    this.by = by;
  }
}

/** An exception of the job's own code within a format: in a schema's transform. */
export class UserThrew extends Error {
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    super(messageOf(thrown));
    this.thrown = thrown;
  }
}
