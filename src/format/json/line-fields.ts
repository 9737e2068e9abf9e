// Finds the declared fields of one line of JSON, in JavaScript: for lines that the table (json/table.ts) does not read,
// for those longer than a block, and where the table does not support a job's fields.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { Codec, ColumnCodec } from "../../job/codec.ts";
import { nullableOf } from "../../job/codecs/facts.ts";
import { type PlainKind, plainKind } from "../lines/plain-text.ts";
import { noRecord } from "../lines/reader.ts";
import { fieldValue, kindOf } from "./field.ts";
import { isBlank, parseJson } from "./line.ts";
import { numberTexts } from "./numbers.ts";
import { type MakeRecord, recordMaker } from "./record.ts";
import { isNumber, JsonScanner, numberText } from "./scan.ts";

export interface Field {
  readonly name: string;
  readonly codec: ColumnCodec<unknown>;
  readonly plain: PlainKind;
}

export function fieldOf(name: string, codec: ColumnCodec<unknown>): Field {
  const inner = nullableOf(codec as unknown as Codec<unknown>);
  return { name, codec, plain: plainKind(inner ?? codec) };
}

export class LineFields {
  readonly make: MakeRecord;
  readonly #fields: readonly Field[];
  readonly #scanner: JsonScanner;

  constructor(fields: readonly Field[]) {
    const names = fields.map(({ name }) => name);
    this.make = recordMaker(names);
    this.#fields = fields;
    this.#scanner = new JsonScanner(names);
  }

  /**
   * The record of the line bytes[start, end), in UTF-8; `text` is all the bytes as Latin-1, which is the same where
   * they are ASCII.
   */
  read(bytes: Buffer, text: string, start: number, end: number): unknown {
    if (!this.#scanner.scan(bytes, text, start, end)) return this.parse(bytes.toString("utf8", start, end));
    const { kinds, starts, ends, plain } = this.#scanner;
    const values: unknown[] = [];
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i]!;
      const { name, codec } = field;
      const kind = kinds[i]!;
      if (kind === "string" && plain[i] && field.plain === "string") {
        values.push(text.slice(starts[i]! + 1, ends[i]! - 1));
        continue;
      }
      if (kind === "number" && field.plain !== undefined && field.plain !== "string") {
        const number = digitsAt(bytes, starts[i]!, ends[i]!);
        if (number >= 0) {
          values.push(number);
          continue;
        }
      }
      let value = "";
      if (kind === "string") value = stringAt(bytes, text, starts[i]!, ends[i]!);
      else if (kind === "number" || kind === "boolean") value = text.slice(starts[i], ends[i]);
      values.push(kind === "number" ? numberValue(field, value) : fieldValue(name, codec, kind, value));
    }
    return this.make(values);
  }

  /** The record of a line that the scanner does not read, with the same result. */
  parse(line: string): unknown {
    if (isBlank(line)) return noRecord;
    const object = parseObject(line);
    const values: unknown[] = [];
    let texts: ReadonlyMap<string, string> | undefined;
    for (const field of this.#fields) {
      const { name, codec } = field;
      const value = Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
        texts ??= numberTexts(line);
        values.push(numberValue(field, texts.get(name)!));
        continue;
      }
      const kind = kindOf(value);
      // Objects have no text here: one with a property `toString` of its own could not be made one.
      values.push(fieldValue(name, codec, kind, kind === "other" ? "" : String(value)));
    }
    return this.make(values);
  }
}

/** The value of a field whose text may be a JSON number. */
export function numberValue({ name, codec, plain }: Field, text: string): unknown {
  // The codec takes every number, and reads -0 as 0.
  if (plain === "float64" && isNumber(text)) {
    const number = Number(text) + 0;
    if (Number.isFinite(number)) return number;
  }
  if (text.length > safeDigits && isInteger.test(text) && isNumber(text))
    return fieldValue(name, codec, "number", text, true);
  return fieldValue(name, codec, "number", numberText(text) ?? String(parseJson(text)));
}

/** Integers of at most as many digits are below 2^53. */
const safeDigits = 15;
const isInteger = /^-?\d+$/;

/** The number of at most 15 digits without a leading zero at [start, end); -1 for anything else. */
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
  // It has escapes, characters beyond ASCII, or something that JSON does not allow.
  return parseJson(bytes.toString("utf8", start, end)) as string;
}

const notPlain = /[^\x20-\x5b\x5d-\x7f]/;

function parseObject(line: string): object {
  const value = parseJson(line);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new MillraceError("bad-input", `the line is not a JSON object, but ${excerptOf(value)}`);
}
