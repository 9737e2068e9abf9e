// The reader of JSON lines in WebAssembly (assembly/), seen from outside: its functions, and where in its memory
// everything lies (`assembly/memory.ts` has the same list).
import { readFileSync } from "node:fs";
import { systemCode } from "../../base/error.ts";

export interface JsonExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Forgets all names. */
  reset(): void;
  declare(at: number, length: number, field: number): void;
  /** Makes rows of the lines at [start, end), the first of which is at `offset` in the file. Returns their number. */
  scan(start: number, end: number, offset: number, fields: number): number;
  /** Forgets all shapes. */
  resetShapes(): void;
  /** The same as `scan` for whatever fields there are (assembly/shapes.ts). */
  scanShapes(start: number, end: number, offset: number): number;
  /** Says how the following rows of csv and tsv are read (assembly/rows.ts). */
  describeRows(
    delimiter: number,
    strange: number,
    multiline: boolean,
    skipsEmpty: boolean,
    cells: number,
    columns: number,
  ): void;
  /** Makes rows of the bytes at [start, end), the first of which is at `offset` in the file. Returns their number. */
  scanRows(start: number, end: number, offset: number): number;
  /** Returns 1 where the bytes at [start, end) contain an odd number of quotes. */
  oddQuotes(start: number, end: number): number;
  /** Whether a carriage return in [start, end) is not followed by a line feed. */
  loneReturn(start: number, end: number): number;
  /** Makes pairs whose keys are the lines at [start, end). Returns their bytes. */
  frameLines(start: number, end: number, room: number, valueBytes: number): number;
  /**
   * Writes the keys of the pairs at [start, end) as lines. Returns their bytes, or -1 (as an unsigned number) where a
   * key can't be a line.
   */
  writeKeys(start: number, end: number, refuses: boolean): number;
}

export const places = {
  consumed: 4096,
  narrowLength: 4100,
  wideLength: 4104,
  stopped: 4108,
  value: 4160,
  lines: 4192,
  wants: 4352,
  places: 110_592,
  nodes: 110_592,
  block: 131_072,
  narrow: 200_704,
  wide: 270_336,
  pairs: 270_336,
  starts: 405_504,
  kinds: 471_040,
  shapes: 487_424,
  slots: 524_288,
} as const;
export const fieldsMax = 256;
/** Cells of a row of csv or tsv. */
export const cellsMax = 8192;
/** Bytes of a name with its quotes, in UTF-8. */
export const nameBytesMax = 104;

/** The used part of the WebAssembly API, which Node's types leave to those of the DOM. */
interface WasmApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}
const wasm = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;

let compiled: object | undefined;

/** Creates a reader with a memory of its own. The module is compiled once per process, when it is first needed. */
export function jsonReader(): JsonExports {
  compiled ??= new wasm.Module(readModule());
  return new wasm.Instance(compiled).exports as JsonExports;
}

/** The file is beside this one in src/format/ and dist/, and one folder up from dist/chunks/ and dist/program/. */
function readModule(): Uint8Array {
  for (const place of ["./json.wasm", "../json.wasm"]) {
    try {
      return readFileSync(new URL(place, import.meta.url));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  throw new Error("millrace bug: json.wasm is not part of this build");
}
