// Cuts the input into splits. Everything that later decides the order of values is decided here, once, by the bytes of
// the input alone: never by the number of slots or machines.

import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import type { InputFormat } from "../format/format.ts";
import type { Storage } from "../storage/storage.ts";
import type { PlannedFile, Split, SplitPiece } from "./plan.ts";
import { findStarts } from "./record-starts.ts";

export interface SplitOptions {
  readonly storage: Storage;
  /** Grouped by input, in order. */
  readonly files: readonly PlannedFile[];
  readonly formatOf: (input: number) => InputFormat<unknown>;
  /** Default: `defaultSplitBytes` of all files together. */
  readonly splitBytes: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A 32nd of the input, within bounds: enough splits to keep all slots busy to the end, and few enough that starting
 * them costs little.
 */
export function defaultSplitBytes(inputBytes: number): number {
  return clamp(Math.ceil(inputBytes / limits.splitsPerInput), limits.splitBytesMin, limits.splitBytesMax);
}

/** One partition per 64 MiB of input, 1 to 64. */
export function defaultPartitions(inputBytes: number): number {
  return clamp(Math.ceil(inputBytes / limits.reducerBytes), 1, limits.reducersDefaultMax);
}

export function totalBytes(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, file) => sum + file.bytes, 0);
}

/**
 * Plans the splits in global order: inputs as declared, files as listed, offsets. A file larger than a split is cut
 * into equal pieces where its format allows it, each beginning with a record; smaller files share splits. Empty pieces
 * are left out.
 */
export async function planSplits(options: SplitOptions): Promise<Split[]> {
  const { files, formatOf, signal } = options;
  const splitBytes = options.splitBytes ?? defaultSplitBytes(totalBytes(files));
  const splits: Split[] = [];
  /** Small files that will share a split. */
  let open: SplitPiece[] = [];
  let openBytes = 0;
  const close = () => {
    if (open.length > 0) splits.push(open);
    open = [];
    openBytes = 0;
  };
  for (const [index, file] of files.entries()) {
    if (signal?.aborted) throw new MillraceError("cancelled", "The job was cancelled while its input was split.");
    if (index > 0 && files[index - 1]!.input !== file.input) close();
    if (file.bytes === 0) continue;
    if (file.bytes > splitBytes) {
      close();
      const format = formatOf(file.input);
      const mayCut = file.compression === "none" && format.split === "anywhere";
      const starts = mayCut ? await findStarts(options.storage, file, format, cutsOf(file.bytes, splitBytes)) : [];
      for (const piece of piecesOf(index, file.bytes, starts)) splits.push([piece]);
    } else {
      if (openBytes + file.bytes > splitBytes || open.length === limits.piecesPerSplitMax) close();
      open.push({ file: index, start: 0, end: file.bytes });
      openBytes += file.bytes;
    }
  }
  close();
  return splits;
}

/** Where to cut a file: into the smallest number of equal pieces of which none is larger than a split. */
function cutsOf(bytes: number, splitBytes: number): number[] {
  const pieces = Math.ceil(bytes / splitBytes);
  return Array.from({ length: pieces - 1 }, (_, i) => Math.floor((bytes / pieces) * (i + 1)));
}

/**
 * Makes pieces of the starts, which are sorted and may repeat, or be the file's size: several cuts may lie in one long
 * record.
 */
function piecesOf(file: number, bytes: number, starts: readonly number[]): SplitPiece[] {
  const bounds = [0, ...starts, bytes];
  const pieces: SplitPiece[] = [];
  for (let i = 1; i < bounds.length; i++) {
    const start = bounds[i - 1]!;
    const end = bounds[i]!;
    if (end > start) pieces.push({ file, start, end });
  }
  return pieces;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
