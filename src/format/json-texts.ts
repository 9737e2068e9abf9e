// Strings of records that were read by the table, and where in its memory their bytes are.
import type { RecordTexts } from "./format.ts";
import type { JsonTable } from "./json-table.ts";
import { places } from "./json-wasm.ts";

/** Strings of more fields are not looked for, as each of them is compared with a text that is emitted. */
const fieldsMax = 4;

export class TableTexts implements RecordTexts {
  readonly view: DataView;
  /** By field and record: strings whose bytes are in the table; others are left out. */
  readonly strings: readonly unknown[][];
  readonly #table: JsonTable;
  readonly #scans: number;
  /** Indexes of those that hold strings as they are. */
  readonly #fields: readonly number[];

  constructor(table: JsonTable, fields: readonly number[], fieldCount: number) {
    this.view = table.view;
    this.strings = Array.from({ length: fieldCount }, () => []);
    for (const field of fields) this.strings[field]!.length = table.rows;
    this.#table = table;
    this.#scans = table.scans;
    this.#fields = fields.slice(0, fieldsMax);
  }

  get isCurrent(): boolean {
    return this.#table.scans === this.#scans;
  }

  startOf(text: string, record: number): number {
    if (!this.isCurrent) return -1;
    for (let i = 0; i < this.#fields.length; i++) {
      const field = this.#fields[i]!;
      if (this.strings[field]![record] !== text) continue;
      return places.narrow + this.#table.edges[2 * (record * this.strings.length + field)]!;
    }
    return -1;
  }
}
