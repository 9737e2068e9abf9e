// Reading an object: windows of it, each one request pinned to the version that was planned, the next one asked for while this
// one is worked on.
import { MillraceError } from "../base/error.ts";
import { limits, MiB } from "../base/limits.ts";
import { showPath } from "./local-fs.ts";
import { s3InputError } from "./s3-error.ts";
import type { S3Objects } from "./s3-objects.ts";
import { parseS3 } from "./s3-place.ts";
import type { FileInfo } from "./storage.ts";

/** The first one is small: who only looks leaves after it. */
const firstWindowBytes = 1 * MiB;
const windowBytes = 8 * MiB;
/** Answers without a byte, one after the other, that are asked for again. */
const emptyMax = 3;
/** Beginnings of files that are kept: every split of a file looks at it. */
const headsMax = 16;

type Window = { readonly bytes: Buffer } | { readonly thrown: unknown };

export class S3Reader {
  readonly #objects: S3Objects;
  /** By path and version, the longest unused first. */
  readonly #heads = new Map<string, Buffer>();

  constructor(objects: S3Objects) {
    this.#objects = objects;
  }

  async *read(file: FileInfo, start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    const until = Math.min(end, file.bytes);
    if (start >= until) return;
    if (start === 0 && until <= limits.headBytes) {
      yield await this.#head(file, until);
      return;
    }
    const left = new AbortController();
    let at = start;
    let asked: Promise<Window> | undefined = this.#ask(file, at, Math.min(until, at + firstWindowBytes), left.signal);
    try {
      while (asked !== undefined) {
        const found: Window = await asked;
        if ("thrown" in found) throw s3InputError(found.thrown, file.path);
        const { bytes } = found;
        at += bytes.length;
        asked = undefined;
        for (let from = 0; from < bytes.length; from += limits.inputChunkBytes) {
          yield bytes.subarray(from, from + limits.inputChunkBytes);
          // Only now is it certain that more is wanted.
          if (at < until) asked ??= this.#ask(file, at, Math.min(until, at + windowBytes), left.signal);
        }
      }
    } finally {
      left.abort();
    }
  }

  /** Never rejects: it may be that nobody waits for it any more. */
  #ask(file: FileInfo, start: number, end: number, signal: AbortSignal): Promise<Window> {
    return this.#window(file, start, end, signal).then(
      (bytes) => ({ bytes }),
      (thrown: unknown) => ({ thrown }),
    );
  }

  /** At least one byte. */
  async #window(file: FileInfo, start: number, end: number, signal?: AbortSignal): Promise<Buffer> {
    const version = { etag: file.version, bytes: file.bytes };
    for (let tries = 1; ; tries++) {
      const found = await this.#objects.range(parseS3(file.path), version, start, end, signal);
      if (found === "gone") throw changed(file, "it is gone");
      if (found === "changed") throw changed(file, "it was written or replaced");
      if (found.length > 0) return found.subarray(0, end - start);
      if (tries === emptyMax)
        throw new MillraceError("io-error", `${showPath(file.path)} can't be read: the store answers with no bytes.`, {
          retry: "elsewhere",
        });
    }
  }

  async #head(file: FileInfo, bytes: number): Promise<Buffer> {
    const key = `${file.version} ${file.bytes} ${file.path}`;
    let head = this.#heads.get(key) ?? Buffer.alloc(0);
    try {
      while (head.length < bytes) head = Buffer.concat([head, await this.#window(file, head.length, bytes)]);
    } catch (thrown) {
      throw s3InputError(thrown, file.path);
    }
    this.#heads.delete(key);
    this.#heads.set(key, head);
    if (this.#heads.size > headsMax) this.#heads.delete(this.#heads.keys().next().value!);
    return head.subarray(0, bytes);
  }
}

function changed(file: FileInfo, how: string): MillraceError {
  return new MillraceError(
    "input-changed",
    `${showPath(file.path)} changed while the job was running: ${how}. Run the job again when nothing writes to its input.`,
  );
}
