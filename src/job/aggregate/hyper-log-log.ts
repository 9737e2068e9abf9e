// HyperLogLog (Flajolet and others, 2007) over XXH64, with the estimator of Ertl (New cardinality estimation algorithms
// for HyperLogLog sketches, 2017), which needs no table of corrections and computes by +, *, / and square roots only:
// so the same registers give the same number on every machine.
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { xxh64Bigint } from "../../base/bytes/xxh64.ts";

/** 2^14 registers of 6 bits: a standard error of 1.04 / √16384 = 0.8 %, in 12,288 bytes. */
const indexBits = 14;
const registers = 2 ** indexBits;
const denseBytes = (registers * 6) / 8;
const sparseEntryBytes = 3;
const rankMax = 64 - indexBits + 1;
/** 1 / (2 ln 2) */
const alpha = 0.7213475204444817;

/**
 * Registers, each the largest rank that was seen. Written sparsely, 3 bytes for each that is not 0 (index * 64 + rank,
 * big-endian, by index), where that is shorter than all of them.
 */
export class Registers {
  /** While there are few: by index. */
  #few: Map<number, number> | undefined = new Map();
  #all: Uint8Array | undefined;

  /** Takes a value by its bytes. */
  take(value: Uint8Array): void {
    const hash = xxh64Bigint(value);
    const index = Number(hash >> BigInt(64 - indexBits));
    const rest = BigInt.asUintN(64 - indexBits, hash);
    const rank = rest === 0n ? rankMax : 64 - indexBits - rest.toString(2).length + 1;
    this.#raise(index, rank);
  }

  merge(bytes: Uint8Array, start: number, end: number): void {
    if (end - start === denseBytes) {
      const all = this.#spread();
      for (let i = 0, at = start; i < registers; i += 4, at += 3) {
        const word = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
        for (let k = 0; k < 4; k++) {
          const rank = (word >> (18 - 6 * k)) & 63;
          if (rank > all[i + k]!) all[i + k] = rank;
        }
      }
      return;
    }
    for (let at = start; at < end; at += sparseEntryBytes) {
      const entry = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      this.#raise(entry >> 6, entry & 63);
    }
  }

  write(out: ByteWriter): void {
    if (this.#few !== undefined) {
      for (const [index, rank] of [...this.#few].sort(([a], [b]) => a - b)) writeWord(index * 64 + rank, out);
      return;
    }
    const all = this.#spread();
    for (let i = 0; i < registers; i += 4)
      writeWord((all[i]! << 18) | (all[i + 1]! << 12) | (all[i + 2]! << 6) | all[i + 3]!, out);
  }

  /** How many different values there were, about. */
  estimate(): number {
    const counts = new Array<number>(rankMax + 1).fill(0);
    const set = this.#few === undefined ? this.#spread() : [...this.#few.values()];
    for (const rank of set) counts[rank]!++;
    if (this.#few !== undefined) counts[0] = registers - this.#few.size;
    let z = registers * tau(1 - counts[rankMax]! / registers);
    for (let rank = rankMax - 1; rank >= 1; rank--) z = 0.5 * (z + counts[rank]!);
    z += registers * sigma(counts[0]! / registers);
    return Math.round((alpha * registers * registers) / z);
  }

  #raise(index: number, rank: number): void {
    if (this.#few === undefined) {
      const all = this.#spread();
      if (rank > all[index]!) all[index] = rank;
      return;
    }
    if (rank <= (this.#few.get(index) ?? 0)) return;
    this.#few.set(index, rank);
    if (this.#few.size * sparseEntryBytes >= denseBytes) this.#spread();
  }

  /** All registers, from here on. */
  #spread(): Uint8Array {
    if (this.#all !== undefined) return this.#all;
    this.#all = new Uint8Array(registers);
    for (const [index, rank] of this.#few ?? []) this.#all[index] = rank;
    this.#few = undefined;
    return this.#all;
  }
}

function writeWord(word: number, out: ByteWriter): void {
  out.writeUint8(word >>> 16);
  out.writeUint8(word >>> 8);
  out.writeUint8(word);
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let [x, y, z] = [share, 1, share];
  for (let before = Number.NaN; z !== before; ) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let [x, y, z] = [share, 1, 1 - share];
  for (let before = Number.NaN; z !== before; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}
