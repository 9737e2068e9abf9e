// Reads a split's records in order, in batches that say where each record begins.
import { MillraceError } from "../base/error.ts";
import { meaningOf } from "../base/error-codes.ts";
import type { Position } from "../base/ids.ts";
import { KiB, limits } from "../base/limits.ts";
import { readsText, refuseForeign, type TextFormat } from "../format/blocks/content.ts";
import { BadRecord, type InputFormat, type RecordBatch } from "../format/format.ts";
import type { Storage } from "../storage/storage.ts";
import { BadRecordIn } from "./bad-record.ts";
import { beginning, isHeaded } from "./header.ts";
import type { PlannedFile, Split, SplitPiece } from "./plan.ts";
import { headOf } from "./resolve.ts";

export interface ReadSplitOptions {
  readonly split: Split;
  /** The planned files that the split names, by their index in the plan. */
  readonly files: Readonly<Record<number, PlannedFile>>;
  readonly formatOf: (input: number) => InputFormat<unknown>;
  readonly storage: Storage;
  /**
   * Decompresses a file chunk by chunk (`format/compression/compress.ts`). Throws `bad-input` when the file is damaged.
   */
  readonly decompress: Decompress;
  /** Called when a compressed file, named by its index in the plan, has been read up to here. It may be read again. */
  readonly onCompressed?: ((file: number, end: number) => void) | undefined;
  readonly signal: AbortSignal;
  /**
   * Where to begin, which must be a record's first byte: the pieces before it are skipped. Default: the split's
   * beginning.
   */
  readonly from?: Position | undefined;
  /**
   * Bytes to read first, before whole chunks: for callers that want only a few records. Default: whole chunks from the
   * start.
   */
  readonly firstBytes?: number;
  /** Heads of files by their index, kept between calls: for callers that read many places of a file. */
  readonly heads?: Map<number, Uint8Array>;
}

export type Decompress = (
  compression: Exclude<PlannedFile["compression"], "none">,
  chunks: AsyncIterable<Uint8Array>,
) => AsyncIterable<Uint8Array>;

/** Some records of one file. What the batch holds is valid until the next one is asked for. */
export interface InputBatch {
  /** The file's index in the plan. */
  readonly fileIndex: number;
  /** The file's path as it was given. */
  readonly source: string;
  /** The index of the named input. */
  readonly input: number;
  readonly batch: RecordBatch<unknown>;
}

/**
 * Reads the records of all pieces. Throws `BadRecordIn` for a record that the format refuses, after the batches before
 * it; `input-changed` when a file is no longer the planned one, `bad-input` when it can't be read, `cancelled`.
 */
export async function* readSplit(options: ReadSplitOptions): AsyncGenerator<InputBatch, void, undefined> {
  const { split, files, from, signal } = options;
  const first = from === undefined ? 0 : split.findIndex((piece) => piece.file === from.file);
  if (first < 0)
    throw new MillraceError("io-error", `The split has no piece of file ${from?.file}, where reading should continue.`);
  for (const [i, piece] of split.entries()) {
    if (i < first) continue;
    const file = files[piece.file];
    if (file === undefined)
      throw new MillraceError("io-error", `The assignment does not describe file ${piece.file} of its split.`);
    const start = i === first && from !== undefined ? from.offset : piece.start;
    try {
      for await (const batch of readPiece(options, file, piece, start)) {
        if (signal.aborted) throw new MillraceError("cancelled", "The attempt was revoked.");
        if (batch.records.length > 0 || batch.skipped !== undefined)
          yield { fileIndex: piece.file, source: file.source, input: file.input, batch };
      }
    } catch (thrown) {
      if (thrown instanceof BadRecord) throw new BadRecordIn(thrown, piece.file, file.source);
      throw named(thrown, file.path);
    }
  }
}

async function* readPiece(
  options: ReadSplitOptions,
  file: PlannedFile,
  piece: SplitPiece,
  start: number,
): AsyncGenerator<RecordBatch<unknown>, void, undefined> {
  const { storage } = options;
  const format = options.formatOf(file.input);
  const isWhole = file.compression !== "none" || format.split === "whole-file";
  const end = isWhole ? Number.POSITIVE_INFINITY : piece.end;
  if (start >= end) return;
  const wholeContent = (): AsyncIterable<Uint8Array> =>
    file.compression === "none"
      ? beginning(storage, file)
      : options.decompress(file.compression, told(storage.read(file, 0, file.bytes), options, piece.file));
  const headEnd = (): number | Promise<number> => {
    if (!isHeaded(format)) return limits.headBytes;
    return file.headerEnd ?? format.findHeaderEnd(wholeContent());
  };
  if (file.compression === "none" && start > 0) {
    const head = options.heads?.get(piece.file) ?? (await headOf(storage, file, await headEnd()));
    options.heads?.set(piece.file, head);
    yield* format.read(chunksOf(options, file, start, piece.end), { start, end, head });
    return;
  }
  const content = file.compression === "none" ? chunksOf(options, file, 0, piece.end) : wholeContent();
  const headBytes = start === 0 ? limits.headBytes : await headEnd();
  // The head is part of what is read anyway, so the file is opened only once.
  const iterator = content[Symbol.asyncIterator]();
  try {
    const { head, chunks } = await peek(iterator, headBytes);
    // The plan task has already looked at what uncompressed files contain.
    if (file.compression !== "none" && readsText(format)) await refuseInside(file.compression, head, format);
    yield* format.read(skipping(start, chunks), { start, end, head });
  } finally {
    // A format that stopped reading early has not closed the file.
    await iterator.return?.();
  }
}

/** The chunks of a compressed file. What has been read of it is known in its own bytes only here. */
async function* told(
  chunks: AsyncIterable<Uint8Array>,
  { onCompressed }: ReadSplitOptions,
  file: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let end = 0;
  for await (const chunk of chunks) {
    end += chunk.length;
    onCompressed?.(file, end);
    yield chunk;
  }
}

async function refuseInside(
  compression: PlannedFile["compression"],
  head: Uint8Array,
  format: TextFormat,
): Promise<void> {
  try {
    await refuseForeign(head, format);
  } catch (thrown) {
    if (!(thrown instanceof MillraceError) || thrown.code !== "bad-input") throw thrown;
    throw new MillraceError(
      "bad-input",
      `${compression === "program" ? "what the program of --decompress has made" : `inside the ${compression} data`} ${thrown.message}`,
      { cause: thrown },
    );
  }
}

/** The piece's bytes, and behind its end only as many as the format asks for: mostly none, as a record begins there. */
async function* chunksOf(
  { storage, firstBytes = 0 }: ReadSplitOptions,
  file: PlannedFile,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const bounds = [start, Math.min(start + firstBytes, end), end, Math.min(end + 64 * KiB, file.bytes), file.bytes];
  for (let i = 1; i < bounds.length; i++) yield* storage.read(file, bounds[i - 1]!, bounds[i]!);
}

/** The first bytes, copied, and all chunks, the first bytes included. `bytes` may be 0. */
async function peek(
  iterator: AsyncIterator<Uint8Array>,
  bytes: number,
): Promise<{ readonly head: Uint8Array; readonly chunks: AsyncIterable<Uint8Array> }> {
  const first = await iterator.next();
  // The usual case: one chunk has them all. It is handed on uncopied, as it stays valid until the next one is asked
  // for.
  if (first.done === true || first.value.length >= bytes) {
    const head = first.done === true ? new Uint8Array(0) : Uint8Array.prototype.slice.call(first.value, 0, bytes);
    return { head, chunks: following(first.done === true ? [] : [first.value], iterator) };
  }
  const parts = [Buffer.from(first.value)];
  let held = first.value.length;
  while (held < bytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    parts.push(Buffer.from(next.value));
    held += next.value.length;
  }
  return { head: Buffer.concat(parts).subarray(0, bytes), chunks: following(parts, iterator) };
}

async function* following(
  parts: readonly Uint8Array[],
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* parts;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

async function* skipping(
  bytes: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = bytes;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** Puts the file's name into an error of a format or decompressor, which knows no file names. */
function named(thrown: unknown, path: string): unknown {
  if (
    !(thrown instanceof MillraceError) ||
    meaningOf(thrown.code).namesNoFile !== true ||
    thrown.message.includes(path)
  )
    return thrown;
  return new MillraceError(thrown.code, `${path}: ${thrown.message}`, {
    cause: thrown.cause ?? thrown,
    retry: thrown.retry,
  });
}
