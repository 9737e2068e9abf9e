// Whole records of a block of JSON lines, found by the reader in WebAssembly. Every row has a shape: its names, in their order.
import { JsonRows } from "./json-rows.ts";
import { places } from "./json-wasm.ts";

/** In the place of a row's shape: its line could not be read. */
export const noShape = 0xffff_ffff;

/** Of a node of the tree of shapes, and of a name (`assembly/shapes.ts`, `assembly/names.ts`), in u32s. */
const nodeWords = 6;
const nodeParent = 1;
const nameText = 6;

/** Kinds, numbers and edges lie one behind the other, of each row as many as its shape has names. */
export class JsonShapes extends JsonRows {
  /** By row. */
  readonly shapes: Uint32Array;
  readonly #words: Uint32Array;

  constructor() {
    super();
    const { buffer } = this.reader.memory;
    this.shapes = new Uint32Array(buffer, places.shapes, (places.slots - places.shapes) / 4);
    this.#words = new Uint32Array(buffer, 0, places.block / 4);
    this.reader.resetShapes();
  }

  protected override scanRows(start: number, end: number, offset: number): number {
    return this.reader.scanShapes(start, end, offset);
  }

  /** Names of a shape; all are different, and none has escapes. */
  names(shape: number): readonly string[] {
    const words = this.#words;
    const names: string[] = [];
    const root = places.nodes / 4;
    for (let node = root + shape * nodeWords; node !== root; node = words[node + nodeParent]! / 4) {
      const name = words[node]! / 4;
      const text = (name + nameText) * 4;
      names.push(this.bytes.toString("utf8", text + 1, text + words[name]! - 1));
    }
    return names.reverse();
  }

  /** The text of an object or array: what its edges say. */
  nested(start: number, end: number): string {
    return this.bytes.toString("utf8", places.block + start, places.block + end);
  }
}
