// Declared fields of a block of JSON lines, found by the reader in WebAssembly: a table with a row per line.
import { JsonRows } from "./rows.ts";
import { fieldsMax, nameBytesMax, places } from "./wasm.ts";

/**
 * What is asked for: "any" value as text, or the values of strings or numbers, where numbers are given only when they
 * are certain.
 */
export type Want = "any" | "string" | "uint" | "int" | "float64";
export const wants: readonly Want[] = ["any", "string", "uint", "int", "float64"];

export interface WantedField {
  readonly name: string;
  readonly want: Want;
}

/**
 * `kinds` has one byte for each row, 0 where the line could be read, and then one per field; numbers and edges lie by
 * row and field.
 */
export class JsonTable extends JsonRows {
  readonly #fields: number;

  constructor(fields: readonly WantedField[]) {
    super();
    this.#fields = fields.length;
    for (const [i, { name, want }] of fields.entries()) {
      this.bytes[places.wants + i] = wants.indexOf(want);
      this.reader.declare(places.block, this.bytes.write(`"${name}"`, places.block), i);
    }
  }

  /** Whether there is room for these fields, and whether their names can be recognised by their bytes. */
  static takes(fields: readonly WantedField[]): boolean {
    return (
      fields.length <= fieldsMax &&
      fields.every(({ name }) => name.isWellFormed() && Buffer.byteLength(name) + 2 <= nameBytesMax)
    );
  }

  protected override scanRows(start: number, end: number, offset: number): number {
    return this.reader.scan(start, end, offset, this.#fields);
  }
}
