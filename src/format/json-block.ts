// Blocks of JSON lines to records of declared fields: by the table, line by line where that can't.
import { type Block, blockBytes } from "./block-reader.ts";
import { isMarked, type JsonBatch, type JsonReader, lineOf, readEachLine, refused } from "./json-batch.ts";
import { fieldValue } from "./json-field.ts";
import { type Field, LineFields, numberValue, plainString } from "./json-line-fields.ts";
import { cell } from "./json-rows.ts";
import { JsonTable, type WantedField } from "./json-table.ts";
import { TableTexts } from "./json-texts.ts";

/** "lines": line by line, which gives the same records, slower. There to compare with. */
export type FieldReading = "table" | "lines";

export class FieldReader implements JsonReader {
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

  read(block: Block, from: number): JsonBatch {
    if (this.#wanted === undefined || block.bytes.length > blockBytes) {
      return readEachLine(block, from, (text, start, end) => this.#lines.read(block.bytes, text, start, end));
    }
    this.#table ??= new JsonTable(this.#wanted);
    return this.#readTable(this.#table, block, from);
  }

  #readTable(table: JsonTable, block: Block, from: number): JsonBatch {
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
