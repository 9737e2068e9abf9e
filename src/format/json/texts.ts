// Strings of records that the table has read, and where their bytes are in its memory.
import type { RecordTexts } from "../format.ts";
import { places } from "./wasm.ts";

/** Only this many fields' strings are looked for, as each of them is compared with every text that is emitted. */
const fieldsMax = 4;

/** What the reader in WebAssembly leaves behind. */
interface ScannedTexts {
  readonly view: DataView;
  readonly rows: number;
  /** Counts the scans; the texts are those of the last one. */
  readonly scans: number;
}

export class RowTexts implements RecordTexts {
  readonly view: DataView;
  readonly #table: ScannedTexts;
  readonly #scans: number;
  /** By row and field, for the first fields. */
  readonly #strings: unknown[];
  readonly #starts: Uint32Array;
  #row = -1;
  #next = 0;

  constructor(table: ScannedTexts) {
    this.view = table.view;
    this.#table = table;
    this.#scans = table.scans;
    this.#strings = new Array<unknown>(table.rows * fieldsMax);
    this.#starts = new Uint32Array(table.rows * fieldsMax);
  }

  get isCurrent(): boolean {
    return this.#table.scans === this.#scans;
  }

  /** Adds a string of this row, and where it begins in the narrow text. Rows come in order. */
  add(row: number, string: string, start: number): void {
    if (row !== this.#row) {
      this.#row = row;
      this.#next = row * fieldsMax;
    } else if (this.#next === (row + 1) * fieldsMax) return;
    this.#strings[this.#next] = string;
    this.#starts[this.#next++] = start;
  }

  startOf(text: string, record: number): number {
    if (!this.isCurrent) return -1;
    for (let at = record * fieldsMax; at < (record + 1) * fieldsMax; at++) {
      if (this.#strings[at] === text) return places.narrow + this.#starts[at]!;
    }
    return -1;
  }
}
