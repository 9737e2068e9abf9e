// Blocks of JSON lines to whole records: what `JSON.parse` makes of each line, in half the time where records are objects whose names
// come in a few layouts, as in logs. By the table of shapes; what is not plain there, by `JSON.parse`.
import { isAscii } from "node:buffer";
import { type Block, blockBytes } from "./block-reader.ts";
import { isMarked, type JsonBatch, type JsonReader, lineOf, readEachLine, refused } from "./json-batch.ts";
import { isBlank, parseJson } from "./json-line.ts";
import { type MakeRecord, recordMaker } from "./json-record.ts";
import { cell } from "./json-rows.ts";
import { isNumber } from "./json-scan.ts";
import { JsonShapes, noShape, type ShapeName } from "./json-shapes.ts";
import { RowTexts } from "./json-texts.ts";
import { noRecord } from "./line-reader.ts";

/** "lines": line by line, which gives the same records, slower. There to compare with. */
export type RecordReading = "shapes" | "lines";

/** How an object is made. */
interface Shape {
  /** By name: the object that it holds, or undefined, where it holds a value. */
  readonly objects: readonly (Shape | undefined)[];
  /** Values of one object, filled and read again and again. */
  readonly values: unknown[];
  readonly make: MakeRecord;
}

/** After a block of which most lines had to be parsed, so many are read line by line. */
const pauseBlocks = 16;

/** In the place of a value: the line is for `JSON.parse`, which has the words for what is wrong with it. */
const unreadable = Symbol("unreadable");

export class RecordReader implements JsonReader {
  readonly #check: ((value: unknown) => unknown) | undefined;
  readonly #reading: RecordReading;
  #table: JsonShapes | undefined;
  readonly #shapes: Shape[] = [];
  #pause = 0;
  /** Cells of the last block that records have been made of. */
  #cells = 0;

  /** `check`: what becomes of each value; throws where it is refused. */
  constructor(check: ((value: unknown) => unknown) | undefined, reading: RecordReading) {
    this.#check = check;
    this.#reading = reading;
  }

  parse(line: string): unknown {
    if (isBlank(line)) return noRecord;
    const value = parseJson(line);
    return this.#check === undefined ? value : this.#check(value);
  }

  read(block: Block, from: number): JsonBatch {
    const isPaused = this.#pause > 0;
    if (isPaused) this.#pause--;
    if (isPaused || this.#reading === "lines" || block.bytes.length > blockBytes) {
      const isPlain = isAscii(block.bytes);
      return readEachLine(block, from, (text, start, end) =>
        this.parse(lineText(block.bytes, text, isPlain, start, end)),
      );
    }
    this.#table ??= new JsonShapes();
    return this.#readShapes(this.#table, block, from);
  }

  #readShapes(table: JsonShapes, block: Block, from: number): JsonBatch {
    const { bytes, base } = block;
    table.scan(bytes, from, base + from);
    const { rows, shapes } = table;
    const texts = new RowTexts(table);
    const starts = table.starts();
    const records = new Array<unknown>(rows);
    /** All bytes as Latin-1, if a line asks for it. */
    let text: string | undefined;
    let isPlain = false;
    let parsed = 0;
    this.#cells = 0;
    for (let row = 0; row < rows; row++) {
      const at = starts[row]! - base;
      if (row === 0 && isMarked(block, at)) starts[0] = 0;
      try {
        const index = shapes[row]!;
        let record: unknown = unreadable;
        if (index !== noShape) {
          this.#shapes[index] ??= shapeOf(table.names(index));
          record = this.#object(table, this.#shapes[index], row, texts);
        }
        if (record === unreadable) {
          if (text === undefined) {
            text = bytes.toString("latin1");
            isPlain = isAscii(bytes);
          }
          record = parseJson(lineText(bytes, text, isPlain, at, lineOf(bytes, text, at).end));
          parsed++;
        }
        records[row] = this.#check === undefined ? record : this.#check(record);
      } catch (thrown) {
        return refused(block, records.slice(0, row), starts, at, thrown);
      }
    }
    if (2 * parsed > rows) this.#pause = pauseBlocks;
    return { batch: { records, starts, end: base + from + table.consumed, texts }, bad: undefined };
  }

  /** Of this row, from its next cell on. All its cells are passed, even where one is unreadable. */
  #object(table: JsonShapes, shape: Shape, row: number, texts: RowTexts): unknown {
    const { kinds, edges, numbers, narrow } = table;
    const { objects, values } = shape;
    let isReadable = true;
    for (let i = 0; i < objects.length; i++) {
      const object = objects[i];
      let value: unknown;
      if (object !== undefined) value = this.#object(table, object, row, texts);
      else {
        const cellAt = this.#cells++;
        const kind = kinds[cellAt]!;
        if (kind === cell.number) value = numbers[cellAt];
        else if (kind === cell.asciiString) {
          const start = edges[2 * cellAt]!;
          const string = narrow.slice(start, edges[2 * cellAt + 1]);
          texts.add(row, string, start);
          value = string;
        } else value = cellValue(kind, table, cellAt);
      }
      if (value === unreadable) isReadable = false;
      values[i] = value;
    }
    return isReadable ? shape.make(values) : unreadable;
  }
}

/** The line at [start, end) of a block whose bytes as Latin-1 are `text`; `isPlain`: they are ASCII. */
function lineText(bytes: Buffer, text: string, isPlain: boolean, start: number, end: number): string {
  return isPlain ? text.slice(start, end) : bytes.toString("utf8", start, end);
}

function shapeOf(names: readonly ShapeName[]): Shape {
  return {
    objects: names.map(({ object }) => object && shapeOf(object)),
    values: names.map(() => undefined),
    make: recordMaker(names.map(({ name }) => name)),
  };
}

function cellValue(kind: number, table: JsonShapes, slot: number): unknown {
  const { edges, narrow, wide } = table;
  const start = edges[2 * slot]!;
  const end = edges[2 * slot + 1]!;
  switch (kind) {
    case cell.narrowString:
      return narrow.slice(start, end);
    case cell.wideString:
      return wide.slice(start, end);
    case cell.numberText: {
      const text = narrow.slice(start, end);
      return isNumber(text) ? Number(text) : unreadable;
    }
    case cell.true:
      return true;
    case cell.false:
      return false;
    case cell.null:
      return null;
    default:
      try {
        return JSON.parse(table.nested(start, end));
      } catch (thrown) {
        if (thrown instanceof SyntaxError) return unreadable;
        throw thrown;
      }
  }
}
