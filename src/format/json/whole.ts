// Makes whole records from blocks of JSON lines: what `JSON.parse` makes of each line, in half the time where records
// are objects whose names come in a few layouts, as in logs. It uses the table of shapes, and `JSON.parse` for what is
// not plain there.
import { isAscii } from "node:buffer";
import { MillraceError } from "../../base/error.ts";
import type { Block } from "../blocks/block.ts";
import { blockBytes } from "../blocks/block.ts";
import { noRecord } from "../lines/reader.ts";
import { isMarked, type JsonBatch, type JsonReader, lineOf, readEachLine, refused } from "./batch.ts";
import { isBlank } from "./line.ts";
import { type Integers, mayHaveChanged, parseWhole, wholeNumber } from "./numbers.ts";
import { recordMaker } from "./record.ts";
import { cell } from "./rows.ts";
import { isNumber } from "./scan.ts";
import { JsonShapes, noShape, type ShapeName } from "./shapes.ts";
import { RowTexts } from "./texts.ts";

/** "lines" reads line by line, which gives the same records, but slower. It is there to compare with. */
export type RecordReading = "shapes" | "lines";

/** How a row becomes a record. */
interface Shape {
  /** The values of one row, those of inner objects too, in the order in which they come; filled again for each row. */
  readonly values: unknown[];
  /** Makes the record of what is in `values`. */
  readonly make: () => Record<string, unknown>;
}

/** After a block of which most lines had to be parsed, this many blocks are read line by line. */
const pauseBlocks = 16;

/** Takes the place of a value: `JSON.parse` has to read the line, as it words what is wrong with it. */
const unreadable = Symbol("unreadable");

export class RecordReader implements JsonReader {
  readonly #check: ((value: unknown) => unknown) | undefined;
  readonly #reading: RecordReading;
  readonly #integers: Integers;
  #table: JsonShapes | undefined;
  readonly #shapes: Shape[] = [];
  #pause = 0;

  /** `check` is given each value and returns its record; it throws where it refuses the value. */
  constructor(check: ((value: unknown) => unknown) | undefined, reading: RecordReading, integers: Integers) {
    this.#integers = integers;
    this.#check = check;
    this.#reading = reading;
  }

  parse(line: string): unknown {
    if (isBlank(line)) return noRecord;
    const value = parseWhole(line, this.#integers);
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
    const { rows, shapes, kinds, edges, numbers, narrow } = table;
    const texts = new RowTexts(table);
    const starts = table.starts();
    const records = new Array<unknown>(rows);
    /** The whole block as Latin-1, once a line asks for it. */
    let text: string | undefined;
    let isPlain = false;
    let parsed = 0;
    let cells = 0;
    for (let row = 0; row < rows; row++) {
      const at = starts[row]! - base;
      if (row === 0 && isMarked(block, at)) starts[0] = 0;
      try {
        const index = shapes[row]!;
        let isReadable = index !== noShape;
        let record: unknown;
        if (isReadable) {
          const { values, make } = (this.#shapes[index] ??= shapeOf(table.names(index)));
          for (let i = 0; i < values.length; i++, cells++) {
            const kind = kinds[cells]!;
            if (kind === cell.number) values[i] = numbers[cells];
            else if (kind === cell.asciiString) {
              const start = edges[2 * cells]!;
              const string = narrow.slice(start, edges[2 * cells + 1]);
              texts.add(row, string, start);
              values[i] = string;
            } else {
              values[i] = cellValue(kind, table, cells, this.#integers);
              if (values[i] === unreadable) isReadable = false;
            }
          }
          if (isReadable) record = make();
        }
        if (!isReadable) {
          if (text === undefined) {
            text = bytes.toString("latin1");
            isPlain = isAscii(bytes);
          }
          record = parseWhole(lineText(bytes, text, isPlain, at, lineOf(bytes, text, at).end), this.#integers);
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
}

/** The line at [start, end) of a block whose bytes as Latin-1 are `text`; `isPlain` means that they are ASCII. */
function lineText(bytes: Buffer, text: string, isPlain: boolean, start: number, end: number): string {
  return isPlain ? text.slice(start, end) : bytes.toString("utf8", start, end);
}

function shapeOf(names: readonly ShapeName[]): Shape {
  const values: unknown[] = [];
  const make = objectMaker(names, values);
  return { values, make };
}

/** Makes an object of the next values, for which it makes room behind the existing ones. */
function objectMaker(names: readonly ShapeName[], values: unknown[]): Shape["make"] {
  const make = recordMaker(names.map(({ name }) => name));
  const isFlat = values.length === 0 && names.every(({ object }) => object === undefined);
  const sources = names.map(({ object }) =>
    object === undefined ? values.push(undefined) - 1 : objectMaker(object, values),
  );
  if (isFlat) return () => make(values);
  const own = names.map((): unknown => undefined);
  return () => {
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i]!;
      own[i] = typeof source === "number" ? values[source] : source();
    }
    return make(own);
  };
}

function cellValue(kind: number, table: JsonShapes, slot: number, integers: Integers): unknown {
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
      return isNumber(text) ? readable(wholeNumber, text, integers) : unreadable;
    }
    case cell.true:
      return true;
    case cell.false:
      return false;
    case cell.null:
      return null;
    default:
      return nestedValue(table.nested(start, end), integers);
  }
}

/** The value of an array's text. It is parsed again only where a number in it may have been changed. */
function nestedValue(text: string, integers: Integers): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return unreadable;
    throw thrown;
  }
  return mayHaveChanged(value) ? readable(parseWhole, text, integers) : value;
}

function readable(read: typeof parseWhole, text: string, integers: Integers): unknown {
  try {
    return read(text, integers);
  } catch (thrown) {
    if (thrown instanceof MillraceError) return unreadable;
    throw thrown;
  }
}
