// Moves each offset where a file is to be cut to the next beginning of a record.
import { assert } from "../base/assert.ts";
import { KiB, limits } from "../base/limits.ts";
import type { InputFormat, ScannedFormat } from "../format/format.ts";
import type { Storage } from "../storage/storage.ts";
import type { PlannedFile } from "./plan.ts";

/**
 * Most records are shorter; where one is longer, the window grows fourfold. A sample looks through hundreds of windows.
 */
const windowBytes = 16 * KiB;
/** Windows overlap by this much, which is more than any delimiter has. */
const overlapBytes = 4 * KiB;

/**
 * For each wanted offset (sorted, above 0) the first record start at or behind it; the file's size where there is none.
 * A cut inside a record that is longer than the limit moves on to the next cut: the task that reads that record reports
 * it.
 */
export async function findStarts(
  storage: Storage,
  file: PlannedFile,
  format: InputFormat<unknown>,
  wanted: readonly number[],
): Promise<readonly number[]> {
  if (wanted.length === 0) return [];
  const starts = isScanned(format)
    ? await format.findStarts(storage.read(file, 0, file.bytes), wanted, file.bytes)
    : await findEach(storage, file, format, wanted);
  assert(starts.length === wanted.length, "a format found another number of record starts");
  for (const [i, start] of starts.entries()) {
    assert(start >= wanted[i]! && start <= file.bytes, "a record start lies before the wanted offset");
    assert(i === 0 || start >= starts[i - 1]!, "record starts are not sorted");
  }
  return starts;
}

async function findEach(
  storage: Storage,
  file: PlannedFile,
  format: InputFormat<unknown>,
  wanted: readonly number[],
): Promise<number[]> {
  const starts: (number | undefined)[] = [];
  let last = 0;
  /**
   * No record begins between the last cut and this offset: what one cut looked through is not looked through again for
   * the next.
   */
  let noneTo = 0;
  for (const offset of wanted) {
    const from = Math.max(offset, noneTo - overlapBytes);
    // A cut before `last` lies in the record that an earlier cut was moved behind.
    const start = offset > last ? await findOne(storage, file, format, from) : last;
    starts.push(start);
    if (start === undefined) noneTo = from + limits.recordBytesMax;
    else last = start;
  }
  let next = file.bytes;
  return starts.reduceRight<number[]>((filled, start) => {
    next = start ?? next;
    filled.unshift(next);
    return filled;
  }, []);
}

/**
 * Reads from the byte before `offset`, to see whether a record begins exactly there. Returns undefined where none
 * begins within the limit.
 */
async function findOne(
  storage: Storage,
  file: PlannedFile,
  format: InputFormat<unknown>,
  offset: number,
): Promise<number | undefined> {
  assert(format.recordStart !== undefined, "a format that can be read from anywhere has no recordStart");
  const from = offset - 1;
  const longest = limits.recordBytesMax + 1;
  for (let window = windowBytes; ; window = Math.min(window * 4, longest)) {
    const end = Math.min(from + window, file.bytes);
    const index = format.recordStart(await bytesOf(storage, file, from, end));
    if (index >= 0) return Math.min(from + index, file.bytes);
    if (end === file.bytes) return file.bytes;
    if (window === longest) return undefined;
  }
}

async function bytesOf(storage: Storage, file: PlannedFile, start: number, end: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(end - start);
  let at = 0;
  for await (const chunk of storage.read(file, start, end)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  assert(at === bytes.length, "the storage read less than the file has");
  return bytes;
}

function isScanned(format: InputFormat<unknown>): format is InputFormat<unknown> & ScannedFormat {
  return "findStarts" in format && typeof format.findStarts === "function";
}
