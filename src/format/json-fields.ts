// Declared fields of JSON objects: `ndjson({ fields })`.
import { isUtf8 } from "node:buffer";
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";
import type { Codec, ColumnCodec } from "../job/codec.ts";
import { f64Kind } from "../job/codecs/facts.ts";
import { utf8 } from "../job/codecs/utf8.ts";
import type { Columns } from "../job/table.ts";
import { type Block, badRecordIn, readBlocks } from "./block-reader.ts";
import { delimited } from "./boundary.ts";
import type { BadRecord, ReadFrom, RecordBatch } from "./format.ts";
import { fieldJson, fieldValue, kindOf, messageOf, setField } from "./json-field.ts";
import { isBlank, parseJson } from "./json-line.ts";
import { JsonScanner, numberText } from "./json-scan.ts";
import { byteOrderMark, type LineBatch, LineDecoder } from "./line-decoder.ts";
import { lineFeeds, noRecord, readParsed } from "./line-reader.ts";

interface Field {
  readonly name: string;
  readonly codec: ColumnCodec<unknown>;
  /** What plain values of it are without asking the codec: strings themselves, numbers of digits alone. */
  readonly plain: "string" | "number" | undefined;
}

/** How lines become objects of these fields, and back. */
export interface JsonFields {
  /** Records of lines, as blocks of bytes. */
  read(chunks: AsyncIterable<Uint8Array>, from: ReadFrom): AsyncIterable<RecordBatch<unknown>>;
  write(record: unknown): string;
}

export function jsonFields(columns: Columns): JsonFields {
  const fields: Field[] = Object.entries(columns).map(([name, codec]) => ({ name, codec, plain: plainKind(codec) }));
  for (const { name, codec } of fields) {
    if (typeof codec?.parse === "function" && typeof codec.format === "function") continue;
    throw new MillraceError(
      "wrong-job",
      `ndjson({ fields }) needs for ${JSON.stringify(name)} a codec with a text form, such as utf8 or uint`,
    );
  }
  return {
    read: (chunks, from) => readFields(chunks, from, fields),
    write: (record) => writeFields(record, fields),
  };
}

async function* readFields(
  chunks: AsyncIterable<Uint8Array>,
  from: ReadFrom,
  fields: readonly Field[],
): AsyncGenerator<RecordBatch<unknown>, void, undefined> {
  const reader = new FieldReader(fields);
  const decoder = new LineDecoder(lineFeeds);
  for await (const block of readBlocks(chunks, from, { boundary: delimited(Uint8Array.of(10)) })) {
    if (isUtf8(block.bytes)) {
      const { records, starts, end, bad } = reader.read(block);
      if (records.length > 0) yield { records, starts, end };
      if (bad !== undefined) throw bad;
    } else {
      yield* readParsed(readBatches([decoder.decode(block)]), (line) => reader.parse(line));
    }
  }
}

/** Reads block after block of one file. */
class FieldReader {
  readonly #fields: readonly Field[];
  readonly #scanner: JsonScanner;

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
    this.#scanner = new JsonScanner(fields.map(({ name }) => name));
  }

  read(block: Block): RecordBatch<unknown> & { readonly bad: BadRecord | undefined } {
    const { bytes, base } = block;
    const text = bytes.toString("latin1");
    const records: unknown[] = [];
    const starts: number[] = [];
    const mark = byteOrderMark(bytes, base);
    for (let at = mark; at < bytes.length; ) {
      const found = text.indexOf("\n", at);
      const end = found < 0 ? bytes.length : found;
      const lineEnd = found > at && bytes[found - 1] === 13 ? found - 1 : end;
      const start = base + (at === mark ? 0 : at); // the mark is part of the first record
      try {
        const record = this.#scanner.scan(bytes, text, at, lineEnd)
          ? this.#record(bytes, text)
          : this.parse(bytes.toString("utf8", at, lineEnd));
        if (record !== noRecord) {
          records.push(record);
          starts.push(start);
        }
      } catch (thrown) {
        const bad = badRecordIn(block, messageOf(thrown), start, base + Math.min(end + 1, bytes.length));
        return { records, starts: new Float64Array(starts), end: start, bad };
      }
      at = end + 1;
    }
    return { records, starts: new Float64Array(starts), end: base + bytes.length, bad: undefined };
  }

  /** What the scanner leaves alone, with the same result. */
  parse(line: string): unknown {
    if (isBlank(line)) return noRecord;
    const object = parseObject(line);
    const record: Record<string, unknown> = {};
    for (const { name, codec } of this.#fields) {
      const value = Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
      setField(record, name, fieldValue(name, codec, kindOf(value), String(value)));
    }
    return record;
  }

  /** What the scanner has found. `text` is the bytes as Latin-1: the same where they are ASCII. */
  #record(bytes: Buffer, text: string): Record<string, unknown> {
    const { kinds, starts, ends, plain } = this.#scanner;
    const record: Record<string, unknown> = {};
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i]!;
      const { name, codec } = field;
      const kind = kinds[i]!;
      if (kind === "string" && plain[i] && field.plain === "string") {
        setField(record, name, text.slice(starts[i]! + 1, ends[i]! - 1));
        continue;
      }
      if (kind === "number" && field.plain === "number") {
        const number = digitsAt(bytes, starts[i]!, ends[i]!);
        if (number >= 0) {
          setField(record, name, number);
          continue;
        }
      }
      let value = "";
      if (kind === "string") value = stringAt(bytes, text, starts[i]!, ends[i]!);
      else if (kind === "number" || kind === "boolean") value = text.slice(starts[i], ends[i]);
      if (kind === "number") value = jsonNumber(value);
      setField(record, name, fieldValue(name, codec, kind, value));
    }
    return record;
  }
}

/** Of our own codecs, which take all of these. */
function plainKind(codec: ColumnCodec<unknown>): Field["plain"] {
  if ((codec as unknown) === utf8) return "string";
  return f64Kind(codec as unknown as Codec<unknown>) === undefined ? undefined : "number";
}

/** The number of at most 15 digits without a leading zero at [start, end); -1: something else. */
function digitsAt(bytes: Buffer, start: number, end: number): number {
  if (end - start > 15 || (bytes[start] === 0x30 && end - start > 1)) return -1;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

function stringAt(bytes: Buffer, text: string, start: number, end: number): string {
  const plain = text.slice(start + 1, end - 1);
  if (!notPlain.test(plain)) return plain;
  // Escapes, characters beyond ASCII, or what JSON does not allow.
  return parseJson(bytes.toString("utf8", start, end)) as string;
}

const notPlain = /[^\x20-\x5b\x5d-\x7f]/;

function jsonNumber(text: string): string {
  return numberText(text) ?? String(parseJson(text));
}

async function* readBatches(batches: readonly LineBatch[]): AsyncGenerator<LineBatch, void, undefined> {
  for (const batch of batches) {
    yield batch;
    if (batch.bad !== undefined) throw batch.bad;
  }
}

function parseObject(line: string): object {
  const value = parseJson(line);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new MillraceError("bad-input", `the line is not a JSON object, but ${excerptOf(value)}`);
}

function writeFields(record: unknown, fields: readonly Field[]): string {
  if (typeof record !== "object" || record === null) {
    throw new MillraceError("bad-output", `ndjson({ fields }) writes objects, not ${excerptOf(record)}`);
  }
  let json = "{";
  for (const { name, codec } of fields) {
    const value: unknown = (record as Record<string, unknown>)[name];
    json += `${json === "{" ? "" : ","}${JSON.stringify(name)}:${fieldJson(name, codec, value)}`;
  }
  return `${json}}`;
}
