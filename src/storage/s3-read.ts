// Reading an object: windows of it, each one request pinned to the version that was planned, the next one asked for while this
// one is worked on. Windows grow, so that who reads a few bytes does not pay for many.
import { MillraceError } from "../base/error.ts";
import { KiB, limits, MiB } from "../base/limits.ts";
import { showPath } from "./local-fs.ts";
import { s3InputError } from "./s3-error.ts";
import type { S3Objects } from "./s3-objects.ts";
import { parseS3 } from "./s3-place.ts";
import type { FileInfo } from "./storage.ts";

const firstWindowBytes = 256 * KiB;
const windowBytesMax = 8 * MiB;
/** Answers without a byte, one after the other, that are asked for again. */
const emptyMax = 3;

type Window = { readonly bytes: Buffer } | { readonly thrown: unknown };

export async function* readS3(
  objects: S3Objects,
  file: FileInfo,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const until = Math.min(end, file.bytes);
  const left = new AbortController();
  let at = start;
  let size = firstWindowBytes;
  const ask = (from: number, bytes: number): Promise<Window> =>
    window(objects, file, from, Math.min(until, from + bytes), left.signal).then(
      (found) => ({ bytes: found }),
      (thrown: unknown) => ({ thrown }),
    );
  let asked = at < until ? ask(at, size) : undefined;
  try {
    while (asked !== undefined) {
      const found = await asked;
      if ("thrown" in found) throw s3InputError(found.thrown, file.path);
      at += found.bytes.length;
      size = Math.min(windowBytesMax, size * 2);
      asked = at < until ? ask(at, size) : undefined;
      for (let from = 0; from < found.bytes.length; from += limits.inputChunkBytes) {
        yield found.bytes.subarray(from, from + limits.inputChunkBytes);
      }
    }
  } finally {
    left.abort();
  }
}

/** At least one byte. */
async function window(
  objects: S3Objects,
  file: FileInfo,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const version = { etag: file.version, bytes: file.bytes };
  for (let tries = 1; ; tries++) {
    const found = await objects.range(parseS3(file.path), version, start, end, signal);
    if (found === "gone") throw changed(file, "it is gone");
    if (found === "changed") throw changed(file, "it was written or replaced");
    if (found.length > 0) return found.subarray(0, end - start);
    if (tries === emptyMax)
      throw new MillraceError("io-error", `${showPath(file.path)} can't be read: the store answers with no bytes.`, {
        retry: "elsewhere",
      });
  }
}

function changed(file: FileInfo, how: string): MillraceError {
  return new MillraceError(
    "input-changed",
    `${showPath(file.path)} changed while the job was running: ${how}. Run the job again when nothing writes to its input.`,
  );
}
