// Makes records of declared fields from blocks of JSON lines: by the table, and line by line where the table can't.
import type { Block } from "../blocks/block.ts";
import { blockBytes } from "../blocks/block.ts";
import { isMarked, type JsonBatch, type JsonReader, lineOf, readEachLine, refused } from "./batch.ts";
import { fieldValue } from "./field.ts";
import { type Field, LineFields, numberValue } from "./line-fields.ts";
import { cell } from "./rows.ts";
import { JsonTable, type WantedField } from "./table.ts";
import { RowTexts } from "./texts.ts";

/** "lines" reads line by line, which gives the same records, but slower. It is there to compare with. */
export type FieldReading = "table" | "lines";

export class FieldReader implements JsonReader {
  readonly #fields: readonly Field[];
  readonly #lines: LineFields;
  readonly #wanted: readonly WantedField[] | undefined;
  #table: JsonTable | undefined;
  readonly #values: unknown[];

  constructor(fields: readonly Field[], reading: FieldReading) {
    this.#fields = fields;
    this.#lines = new LineFields(fields);
    this.#values = fields.map(() => undefined);
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
    const { rows, kinds, edges, numbers, narrow } = table;
    const fields = this.#fields;
    const values = this.#values;
    const { make } = this.#lines;
    const texts = new RowTexts(table);
    const starts = table.starts();
    const records = new Array<unknown>(rows);
    /** The whole block as Latin-1, once a line asks for it. */
    let text: string | undefined;
    for (let row = 0; row < rows; row++) {
      const at = starts[row]! - base;
      if (row === 0 && isMarked(block, at)) starts[0] = 0;
      try {
        const first = row * (fields.length + 1);
        if (kinds[first] === 0) {
          for (let i = 0; i < fields.length; i++) {
            const field = fields[i]!;
            const slot = row * fields.length + i;
            const kind = kinds[first + 1 + i]!;
            if (kind === cell.number) values[i] = numbers[slot];
            else if (kind === cell.asciiString && field.plain === "string") {
              const start = edges[2 * slot]!;
              const string = narrow.slice(start, edges[2 * slot + 1]);
              texts.add(row, string, start);
              values[i] = string;
            } else values[i] = cellValue(field, kind, table, slot);
          }
          records[row] = make(values);
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
}

function cellValue(field: Field, kind: number, { edges, narrow, wide }: JsonTable, slot: number): unknown {
  const { name, codec, plain } = field;
  switch (kind) {
    case cell.asciiString:
    case cell.narrowString:
    case cell.wideString: {
      const text = (kind === cell.wideString ? wide : narrow).slice(edges[2 * slot], edges[2 * slot + 1]);
      return plain === "string" ? text : fieldValue(name, codec, "string", text);
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
