// A small input from a large one: the beginning of each file, cut where a record ends, so that the same formats read
// it.
import { MillraceError } from "../../base/error.ts";
import { KiB, limits } from "../../base/limits.ts";
import type { InputFormat } from "../../format/format.ts";
import { BadRecordIn } from "../../input/bad-record.ts";
import type { PlannedFile } from "../../input/plan.ts";
import { type Decompress, readSplit } from "../../input/read-split.ts";
import type { Storage } from "../../storage/storage.ts";

export interface Sample {
  /** Contents by path, decompressed. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
  /** The files that are in it, in the order of the plan. */
  readonly files: readonly PlannedFile[];
  /** How long their contents are together. */
  readonly bytes: number;
  /** Nothing was left out. */
  readonly isWhole: boolean;
}

export interface SampleOptions {
  readonly files: readonly PlannedFile[];
  readonly formatOf: (input: number) => InputFormat<unknown>;
  readonly storage: Storage;
  readonly decompress: Decompress;
  /** Each file gives a share of it, at least one record; files behind it are left out. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/** What a file gives at least, unless less is allowed in all. */
const fileBytesMin = 4 * KiB;

/** Throws `bad-input` for files that can't be read, `input-changed`, `cancelled`. */
export async function takeSample(options: SampleOptions): Promise<Sample> {
  const { files, bytesMax, signal } = options;
  const contents = new Map<string, Uint8Array>();
  const taken: PlannedFile[] = [];
  let isWhole = true;
  const inputs = [...new Set(files.map(({ input }) => input))];
  for (const input of inputs) {
    const own = files.filter((file) => file.input === input);
    let left = bytesMax / inputs.length;
    for (const [at, file] of own.entries()) {
      if (signal.aborted) throw new MillraceError("cancelled", "cancelled while the sample was read");
      if (left <= 0 && at > 0) {
        isWhole = false;
        break;
      }
      const share = Math.max(left / (own.length - at), Math.min(left, fileBytesMin), 1);
      const { content, isAll } = await beginningOf(options, file, Math.ceil(share));
      isWhole &&= isAll;
      left -= content.length;
      taken.push(file);
      // Two inputs may read the same file.
      if (content.length >= (contents.get(file.path)?.length ?? 0)) contents.set(file.path, content);
    }
  }
  const bytes = [...contents.values()].reduce((sum, { length }) => sum + length, 0);
  return { contents, files: taken, bytes, isWhole };
}

/** Whole records: those that begin before `bytes`. */
async function beginningOf(
  options: SampleOptions,
  file: PlannedFile,
  bytes: number,
): Promise<{ readonly content: Uint8Array; readonly isAll: boolean }> {
  const { storage, decompress } = options;
  const isPlain = file.compression === "none";
  const isWhole = options.formatOf(file.input).split === "whole-file" || (isPlain && file.bytes <= bytes);
  const end = isWhole ? Number.POSITIVE_INFINITY : await endOfRecord(options, file, bytes);
  const content = isPlain
    ? storage.read(file, 0, Math.min(end, file.bytes))
    : decompress(file.compression, storage.read(file, 0, file.bytes));
  const chunks: Buffer[] = [];
  let length = 0;
  let isAll = isPlain ? end >= file.bytes : true;
  for await (const chunk of content) {
    const piece = chunk.subarray(0, end - length);
    chunks.push(Buffer.from(piece));
    length += piece.length;
    if (piece.length < chunk.length || length > limits.recordBytesMax) {
      isAll = false;
      break;
    }
  }
  return { content: Buffer.concat(chunks), isAll };
}

/** Where the first record ends that does not end before `bytes`. */
async function endOfRecord({ storage, decompress, formatOf, signal }: SampleOptions, file: PlannedFile, bytes: number) {
  let from: { readonly file: number; readonly offset: number } | undefined;
  let end = 0;
  for (;;) {
    const batches = readSplit({
      split: [{ file: 0, start: 0, end: Math.min(bytes, file.bytes) }],
      files: { 0: file },
      formatOf,
      storage,
      decompress,
      signal,
      from,
    });
    try {
      for await (const { batch } of batches) {
        // A batch is cut between two of its records.
        const after = batch.starts.subarray(0, batch.records.length).findIndex((start) => start >= bytes);
        end = after >= 0 ? batch.starts[after]! : batch.end;
        if (end >= bytes) return end;
      }
      // No record at all (a header, and nothing below it): what is there stays.
      return end === 0 ? bytes : end;
    } catch (thrown) {
      // What the format refuses is part of the input too: the run says so, or puts it aside.
      if (!(thrown instanceof BadRecordIn)) throw thrown;
      if (thrown.end === undefined) return Math.max(thrown.start + 1, bytes);
      end = thrown.end;
      if (end >= bytes) return end;
      from = { file: 0, offset: end };
    }
  }
}
