// The WebAssembly kernel seen from outside: its functions, and where in the arena's first 4 KiB it leaves results
// (`assembly/state.ts` has the same list). Offsets and lengths are bytes; results are the codes of `result`. Each
// function is in src/kernel/assembly under the same name.
import { readFileSync } from "node:fs";
import { systemCode } from "../base/error.ts";

export interface KernelExports {
  setFold(kind: number, integers: number): void;
  setColumns(count: number, kinds: number): void;
  setPartitioner(
    partitions: number,
    mode: number,
    groups: number,
    groupCount: number,
    boundaries: number,
    boundaryCount: number,
  ): void;
  setHistogram(at: number): void;
  setBlock(start: number, bytes: number): void;
  pushWritten(key: number, keyBytes: number, valueBytes: number): void;
  beginCollect(pool: number, end: number, counts: number, withTable: number, firstEmission: number, sums: number): void;
  addBatch(at: number, end: number): number;
  addWords(at: number, end: number, letters: number): number;
  countLines(at: number, end: number): number;
  reserveLarge(bytes: number): number;
  countLarge(high: number, low: number): void;
  beginFlush(): void;
  nextFlush(): number;
  skipFolded(): void;
  flushPartition(): number;
  closeOpen(): number;
  endFlush(): void;
  beginSource(): void;
  aggregate(at: number, end: number): number;
  stopFolding(): void;
  beginMerge(sources: number, count: number, tree: number): void;
  loadBlock(source: number, buffer: number, bytes: number): number;
  nextMerge(): number;
  dropPending(): void;
  closeMerge(): number;
}

export const result = {
  done: 0,
  block: 1,
  fold: 2,
  need: 3,
  settle: 4,
  full: 5,
  long: 6,
  malformed: -1,
  beyond: -2,
} as const;
export const placing = { hash: 0, range: 1, explicit: 2, hostRange: 3 } as const;
export const folding = { none: 0, sum: 1, min: 2, max: 3, user: 4, bytes: 5 } as const;
/** Two bits each. */
export const columnKinds = { count: 0, sum: 1, min: 2, max: 3 } as const;
export const tables = { never: 0, always: 1, auto: 2 } as const;
export const histogramBytes = 4096;
export const sourceRecordBytes = 64;

const at = {
  emissionDigest: 64,
  emissions: 72,
  held: 80,
  taken: 84,
  errorKey: 88,
  blockStart: 96,
  blockEnd: 100,
  blockPairs: 104,
  blockPrefix: 108,
  blockPartition: 112,
  blockDigest: 120,
  openEnd: 128,
  foldFrom: 132,
  foldTo: 136,
  key: 140,
  left: 148,
  right: 156,
  source: 164,
  wordEnd: 168,
  sourceDigestTaken: 176,
  sourcePairsTaken: 184,
} as const;

/**
 * Reads the results of the last call from the arena. Keys and values are views that the next call of the kernel may
 * change.
 */
export class KernelState {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(arena: Uint8Array) {
    this.#bytes = arena;
    this.#view = new DataView(arena.buffer);
  }

  get emissionDigest(): bigint {
    return this.#view.getBigUint64(at.emissionDigest, true);
  }
  get emissions(): number {
    return this.#view.getFloat64(at.emissions, true);
  }
  get held(): number {
    return this.#word(at.held);
  }
  get taken(): number {
    return this.#word(at.taken);
  }
  get wordEnd(): number {
    return this.#word(at.wordEnd);
  }
  get sourceDigestTaken(): bigint {
    return this.#view.getBigUint64(at.sourceDigestTaken, true);
  }
  get sourcePairsTaken(): number {
    return this.#view.getFloat64(at.sourcePairsTaken, true);
  }
  get errorKey(): Uint8Array {
    return this.#bytesAt(at.errorKey);
  }
  get blockStart(): number {
    return this.#word(at.blockStart);
  }
  get blockEnd(): number {
    return this.#word(at.blockEnd);
  }
  get blockPairs(): number {
    return this.#word(at.blockPairs);
  }
  get blockPrefix(): number {
    return this.#word(at.blockPrefix);
  }
  get blockPartition(): number {
    return this.#word(at.blockPartition);
  }
  get blockDigest(): bigint {
    return this.#view.getBigUint64(at.blockDigest, true);
  }
  /** Where the next pair of the open block goes. */
  get openEnd(): number {
    return this.#word(at.openEnd);
  }
  /** Sort records of 16 bytes with equal keys: from this one … */
  get foldFrom(): number {
    return this.#word(at.foldFrom);
  }
  /** … to before this one. */
  get foldTo(): number {
    return this.#word(at.foldTo);
  }
  get key(): Uint8Array {
    return this.#bytesAt(at.key);
  }
  get left(): Uint8Array {
    return this.#bytesAt(at.left);
  }
  get right(): Uint8Array {
    return this.#bytesAt(at.right);
  }
  get source(): number {
    return this.#word(at.source);
  }
  /** The offset of the pair that belongs to a sort record. */
  pairOfRecord(record: number): number {
    return this.#word(record + 8);
  }
  sourceDigest(record: number): bigint {
    return this.#view.getBigUint64(record + 24, true);
  }
  sourcePairs(record: number): number {
    return Number(this.#view.getBigUint64(record + 32, true));
  }

  #word(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  #bytesAt(offset: number): Uint8Array {
    const start = this.#word(offset);
    return this.#bytes.subarray(start, start + this.#word(offset + 4));
  }
}

/** The used part of the WebAssembly API, which Node's types leave to those of the DOM. */
export interface WasmApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: unknown };
}
export const wasm: WasmApi = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;

let compiled: object | undefined;

/** Compiles the kernel once per process. */
export function kernelModule(): object {
  compiled ??= new wasm.Module(readKernel());
  return compiled;
}

/** The file is beside this one in src/kernel/ and dist/, and one folder up from dist/chunks/. */
function readKernel(): Uint8Array {
  for (const place of ["./kernel.wasm", "../kernel.wasm"]) {
    try {
      return readFileSync(new URL(place, import.meta.url));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  throw new Error("millrace bug: kernel.wasm is not part of this build");
}
