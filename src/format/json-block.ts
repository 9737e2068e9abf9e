// Blocks of JSON lines to records of declared fields: by the table, line by line where that can't.
import { type Block, badRecordIn, blockBytes } from "./block-reader.ts";
import type { BadRecord, RecordBatch } from "./format.ts";
import { fieldValue, messageOf } from "./json-field.ts";
import { type Field, LineFields, numberValue, plainString } from "./json-line-fields.ts";
import { cell, JsonTable, type WantedField } from "./json-table.ts";
import { TableTexts } from "./json-texts.ts";
import { byteOrderMark } from "./line-decoder.ts";
import { noRecord } from "./line-reader.ts";

/** Records of a block, from some offset to `batch.end`; `bad`: the record there, to be thrown once these have been dealt with. */
export interface FieldBatch {
  readonly batch: RecordBatch<unknown>;
  readonly bad: BadRecord | undefined;
}

/** "lines": line by line, which gives the same records, slower. There to compare with. */
export type FieldReading = "table" | "lines";

/** Of all files of one format: batches are made one after the other, and keep nothing of it. */
export class FieldReader {
  readonly #fields: readonly Field[];
  readonly #lines: LineFields;
  readonly #wanted: readonly WantedField[] | undefined;
  #table: JsonTable | undefined;
  readonly #values: unknown[];
  /** Fields that hold strings as they are. */
  readonly #strings: readonly number[];

  constructor(fields: readonly Field[], reading: FieldReading) {
    this.#fields = fields;
    this.#lines = new LineFields(fields);
    this.#values = fields.map(() => undefined);
    this.#strings = [...fields.keys()].filter((i) => fields[i]!.plain === "string");
    const wanted = fields.map(({ name, plain }): WantedField => ({ name, want: plain ?? "any" }));
    this.#wanted = reading === "table" && JsonTable.takes(wanted) ? wanted : undefined;
  }

  parse(line: string): unknown {
    return this.#lines.parse(line);
  }

  /** Reads lines of a block of UTF-8 from index `from` on; a byte order mark before that is the first record's. */
  read(block: Block, from: number): FieldBatch {
    if (this.#wanted === undefined || block.bytes.length > blockBytes) return this.#readLines(block, from);
    this.#table ??= new JsonTable(this.#wanted);
    return this.#readTable(this.#table, block, from);
  }

  #readTable(table: JsonTable, block: Block, from: number): FieldBatch {
    const { bytes, base } = block;
    table.scan(bytes, from, base + from);
    const { rows, kinds } = table;
    const stride = this.#fields.length + 1;
    const texts = new TableTexts(table, this.#strings, this.#fields.length);
    const starts = table.starts();
    const records = new Array<unknown>(rows);
    /** All bytes as Latin-1, if a line asks for it. */
    let text: string | undefined;
    for (let row = 0; row < rows; row++) {
      const at = starts[row]! - base;
      if (row === 0 && isMarked(block, at)) starts[0] = 0;
      try {
        if (kinds[row * stride] === 0) {
          records[row] = this.#record(table, row, texts.strings);
        } else {
          text ??= bytes.toString("latin1");
          records[row] = this.#lines.read(bytes, text, at, lineOf(bytes, text, at).end);
        }
      } catch (thrown) {
        return refused(block, records.slice(0, row), starts, at, thrown);
      }
    }
    return { batch: { records, starts, end: base + from + table.consumed, texts }, bad: undefined };
  }

  #record(table: JsonTable, row: number, strings: readonly unknown[][]): unknown {
    const { kinds, edges, numbers, narrow } = table;
    const values = this.#values;
    const fields = this.#fields;
    const first = row * (fields.length + 1) + 1;
    for (let i = 0; i < fields.length; i++) {
      const slot = row * fields.length + i;
      const kind = kinds[first + i]!;
      if (kind === cell.number) values[i] = numbers[slot];
      else if (kind === cell.asciiString && fields[i]!.plain === "string") {
        const string = narrow.slice(edges[2 * slot], edges[2 * slot + 1]);
        strings[i]![row] = string;
        values[i] = plainString(fields[i]!, string);
      } else values[i] = cellValue(fields[i]!, kind, table, slot);
    }
    return this.#lines.make(values);
  }

  #readLines(block: Block, from: number): FieldBatch {
    const { bytes, base } = block;
    const text = bytes.toString("latin1");
    const records: unknown[] = [];
    const starts: number[] = [];
    for (let at = from; at < bytes.length; ) {
      const { end, behind } = lineOf(bytes, text, at);
      try {
        const record = this.#lines.read(bytes, text, at, end);
        if (record !== noRecord) {
          records.push(record);
          starts.push(base + (isMarked(block, at) ? 0 : at));
        }
      } catch (thrown) {
        return refused(block, records, new Float64Array(starts), at, thrown);
      }
      at = behind;
    }
    return { batch: { records, starts: new Float64Array(starts), end: base + bytes.length }, bad: undefined };
  }
}

function cellValue(field: Field, kind: number, { edges, narrow, wide }: JsonTable, slot: number): unknown {
  const { name, codec, plain } = field;
  switch (kind) {
    case cell.asciiString:
    case cell.narrowString:
    case cell.wideString: {
      const text = (kind === cell.wideString ? wide : narrow).slice(edges[2 * slot], edges[2 * slot + 1]);
      return plain === "string" ? plainString(field, text) : fieldValue(name, codec, "string", text);
    }
    case cell.numberText:
      return numberValue(field, narrow.slice(edges[2 * slot], edges[2 * slot + 1]));
    case cell.true:
      return fieldValue(name, codec, "boolean", "true");
    case cell.false:
      return fieldValue(name, codec, "boolean", "false");
    case cell.null:
      return fieldValue(name, codec, "null", "");
    case cell.other:
      return fieldValue(name, codec, "other", "");
    default:
      return fieldValue(name, codec, "missing", "");
  }
}

/** Where the line at `at` ends without its line end, and where the next one begins. */
function lineOf(bytes: Buffer, text: string, at: number): { readonly end: number; readonly behind: number } {
  const found = text.indexOf("\n", at);
  if (found < 0) return { end: bytes.length, behind: bytes.length };
  return { end: found > at && bytes[found - 1] === 13 ? found - 1 : found, behind: found + 1 };
}

/** The records before the one at index `at`, which is refused. */
function refused(
  block: Block,
  records: readonly unknown[],
  starts: Float64Array,
  at: number,
  thrown: unknown,
): FieldBatch {
  const { bytes, base } = block;
  const start = base + (isMarked(block, at) ? 0 : at);
  const found = bytes.indexOf(10, at);
  const end = base + (found < 0 ? bytes.length : found + 1);
  return { batch: { records, starts, end: start }, bad: badRecordIn(block, messageOf(thrown), start, end) };
}

/** Whether a byte order mark stands before the line at index `at`: it is part of the record. */
function isMarked({ bytes, base }: Block, at: number): boolean {
  return at > 0 && at === byteOrderMark(bytes, base);
}
