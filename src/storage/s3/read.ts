// Reads an object in windows, each with one request pinned to the planned version; the next window is asked for while
// this one is used. A caller that reads an object from beginning to end gets its last bytes only if the whole is what
// the store says it is.
import { MillraceError } from "../../base/error.ts";
import { limits, MiB } from "../../base/limits.ts";
import { showPath } from "../local/fs.ts";
import type { FileInfo } from "../storage.ts";
import { type ContentSum, contentSumOf } from "./api/checksum.ts";
import { s3InputError } from "./api/error.ts";
import type { S3Objects } from "./objects.ts";
import { parseS3 } from "./url.ts";

/** The first window is small, because callers that only peek stop after it. */
const firstWindowBytes = 1 * MiB;
const windowBytes = 8 * MiB;
/** How often in a row an answer without a byte is asked for again. */
const emptyMax = 3;
/** How many beginnings of files are kept: every split of a file looks at it. */
const headsMax = 16;

/** How many running checksums are kept, of files that are being read from their beginning. */
const sumsMax = 16;

interface Window {
  readonly bytes: Buffer;
  /** What the answer says about the whole object. */
  readonly headers: Readonly<Record<string, string>>;
}

type Asked = Window | { readonly thrown: unknown };

/** The checksum of a file's bytes before `at`. */
interface RunningSum {
  at: number;
  readonly sum: ContentSum | undefined;
}

/** The `FileInfo.version` of an object: the etag, and the content's SHA-256 where a manifest tells it. */
export function s3Version(etag: string, sha256?: string): string {
  return sha256 === undefined ? etag : `${etag} sha256:${sha256}`;
}

function versionOf({ version, bytes }: FileInfo): { etag: string; bytes: number; sha256: string | undefined } {
  const match = /^(.*) sha256:([0-9a-f]{64})$/.exec(version);
  return { etag: match?.[1] ?? version, bytes, sha256: match?.[2] };
}

export class S3Reader {
  readonly #objects: S3Objects;
  /** By path and version; the one that was not used for the longest time comes first. */
  readonly #heads = new Map<string, Window>();
  readonly #sums = new Map<string, RunningSum>();

  constructor(objects: S3Objects) {
    this.#objects = objects;
  }

  async *read(
    file: FileInfo,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const until = Math.min(end, file.bytes);
    if (start >= until) return;
    if (start === 0 && until <= limits.headBytes) {
      const head = await this.#head(file, until, signal);
      this.#begin(file, head.headers);
      this.#check(file, 0, head);
      yield head.bytes;
      return;
    }
    const left = new AbortController();
    const wanted = signal === undefined ? left.signal : AbortSignal.any([left.signal, signal]);
    let at = start;
    let asked: Promise<Asked> | undefined = this.#ask(file, at, Math.min(until, at + firstWindowBytes), wanted);
    try {
      while (asked !== undefined) {
        const found: Asked = await asked;
        if ("thrown" in found) throw s3InputError(found.thrown, file.path);
        const { bytes, headers } = found;
        if (at === 0 && !this.#begin(file, headers) && bytes.length < file.bytes && until === file.bytes) {
          this.#begin(file, await this.#headersOf(file, wanted));
        }
        this.#check(file, at, found);
        at += bytes.length;
        asked = undefined;
        for (let from = 0; from < bytes.length; from += limits.inputChunkBytes) {
          yield bytes.subarray(from, from + limits.inputChunkBytes);
          // Only now is it certain that more is wanted.
          if (at < until) asked ??= this.#ask(file, at, Math.min(until, at + windowBytes), wanted);
        }
      }
    } finally {
      left.abort();
    }
  }

  /** Never rejects, as it may be that no one waits for it any more. */
  #ask(file: FileInfo, start: number, end: number, signal: AbortSignal): Promise<Asked> {
    return this.#window(file, start, end, signal).catch((thrown: unknown) => ({ thrown }));
  }

  /** Reads at least one byte. */
  async #window(file: FileInfo, start: number, end: number, signal: AbortSignal | undefined): Promise<Window> {
    for (let tries = 1; ; tries++) {
      const found = await this.#objects.for({ signal }).range(parseS3(file.path), versionOf(file), start, end);
      if (found.kind === "gone") throw changed(file, "it is gone");
      if (found.kind === "changed") throw changed(file, "it was written or replaced");
      if (found.bytes.length > 0) return { bytes: found.bytes.subarray(0, end - start), headers: found.headers };
      if (tries === emptyMax)
        throw new MillraceError("io-error", `${showPath(file.path)} can't be read: the store answers with no bytes.`, {
          retry: "elsewhere",
        });
    }
  }

  async #head(file: FileInfo, bytes: number, signal: AbortSignal | undefined): Promise<Window> {
    const key = keyOf(file);
    let head = this.#heads.get(key) ?? { bytes: Buffer.alloc(0), headers: {} };
    try {
      // A small file is read whole: only with the whole does the store send its checksum.
      const wanted = file.bytes <= limits.headBytes ? file.bytes : bytes;
      while (head.bytes.length < wanted) {
        const more = await this.#window(file, head.bytes.length, wanted, signal);
        const headers = head.bytes.length === 0 ? more.headers : head.headers;
        head = { bytes: Buffer.concat([head.bytes, more.bytes]), headers };
      }
    } catch (thrown) {
      throw s3InputError(thrown, file.path);
    }
    keep(this.#heads, key, head, headsMax);
    return { bytes: head.bytes.subarray(0, bytes), headers: head.headers };
  }

  /**
   * What the store says about an object that is larger than one answer; nothing where there is another version now,
   * which the next range reports.
   */
  async #headersOf(file: FileInfo, signal: AbortSignal): Promise<Window["headers"]> {
    const { etag } = versionOf(file);
    try {
      const head = await this.#objects.for({ signal }).head(parseS3(file.path), { checksums: true });
      return head?.etag === etag && head.bytes === file.bytes ? head.headers : {};
    } catch (thrown) {
      throw s3InputError(thrown, file.path);
    }
  }

  /** Called before the first bytes of a file are checked. Returns whether there is a checksum to check them by. */
  #begin(file: FileInfo, headers: Window["headers"]): boolean {
    const { etag, sha256 } = versionOf(file);
    const sum = contentSumOf(headers, etag, sha256);
    keep(this.#sums, keyOf(file), { at: 0, sum }, sumsMax);
    return sum !== undefined;
  }

  /**
   * Throws when these are the last bytes of a file that was read from its beginning, and the whole is not what it has
   * to be.
   */
  #check(file: FileInfo, start: number, { bytes }: Window): void {
    const key = keyOf(file);
    const running = this.#sums.get(key);
    if (running?.at !== start) return;
    running.sum?.update(bytes);
    running.at += bytes.length;
    if (running.at < file.bytes) return;
    this.#sums.delete(key);
    const difference = running.sum?.difference();
    if (difference === undefined) return;
    this.#heads.delete(key);
    throw new MillraceError(
      "io-error",
      `${showPath(file.path)} can't be read: other bytes came than are stored: ${difference}. They were damaged on the way, or in the store.`,
      { retry: "elsewhere" },
    );
  }
}

function keyOf({ path, bytes, version }: FileInfo): string {
  return `${version} ${bytes} ${path}`;
}

/** Adds the newest entry, and drops the oldest where there are more than `most`. */
function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
}

function changed(file: FileInfo, how: string): MillraceError {
  return new MillraceError(
    "input-changed",
    `${showPath(file.path)} changed while the job was running: ${how}. Run the job again when nothing writes to its input.`,
  );
}
