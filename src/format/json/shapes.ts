// Whole records of a block of JSON lines, found by the reader in WebAssembly. Every row has a shape: its names in their
// order, with the shapes of the objects that some of them hold.
import { JsonRows } from "./rows.ts";
import { places } from "./wasm.ts";

/** Takes the place of a row's shape when its line could not be read. */
export const noShape = 0xffff_ffff;

/** Layout of a node of the tree of shapes and of a name (`assembly/shapes.ts`, `assembly/names.ts`), in u32s. */
const nodeWords = 8;
const nodeParent = 1;
const nameText = 6;
/** Take the place of a node's name. */
const opened = 1;
const closed = 2;

/** A name, with the names of its object where it holds one. */
export interface ShapeName {
  readonly name: string;
  readonly object: readonly ShapeName[] | undefined;
}

/**
 * Kinds, numbers and edges lie one after the other. A row has as many of each as its shape has values: names without an
 * object.
 */
export class JsonShapes extends JsonRows {
  /** The shape of each row. */
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

  /** The names of a shape. Within one object all are different, and none has escapes. */
  names(shape: number): readonly ShapeName[] {
    const words = this.#words;
    const steps: number[] = [];
    const root = places.nodes / 4;
    for (let node = root + shape * nodeWords; node !== root; node = words[node + nodeParent]! / 4) {
      steps.push(words[node]!);
    }
    const read = (): readonly ShapeName[] => {
      const names: ShapeName[] = [];
      for (let step = steps.pop(); step !== undefined && step !== closed; step = steps.pop()) {
        const text = step + nameText * 4;
        const name = this.bytes.toString("utf8", text + 1, text + words[step / 4]! - 1);
        const isObject = steps.at(-1) === opened;
        if (isObject) steps.pop();
        names.push({ name, object: isObject ? read() : undefined });
      }
      return names;
    };
    return read();
  }

  /** The text of an array, given its edges. */
  nested(start: number, end: number): string {
    return this.bytes.toString("utf8", places.block + start, places.block + end);
  }
}
