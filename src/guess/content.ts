// The content of a file or a stream, decompressed: its beginning, and then all of it from its first byte. A stream is
// read once, so what was looked at is held until it has been read.
import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { MillraceError } from "../base/error.ts";
import { isUrl } from "../base/paths.ts";
import { decompress, detectCompression } from "../format/compression/compress.ts";
import { filesOf, headOf } from "../input/resolve.ts";
import type { Storage } from "../storage/storage.ts";
import type { Beginning } from "./beginning.ts";

export interface ContentSource {
  /** What messages call it: the path as it was given, or "-". */
  readonly source: string;
  /** The bytes as they are stored. Called once. */
  open(): AsyncIterable<Uint8Array>;
}

export interface SourcesOptions {
  readonly storage: Storage;
  readonly paths: readonly string[];
  /** The absolute path that relative paths start from. */
  readonly directory: string;
  /** What `-` stands for. */
  readonly standardInput: () => AsyncIterable<Uint8Array>;
}

/**
 * The files that the arguments name, in their order; pipes are read as they come. Throws `no-input` for an argument
 * that names no file.
 */
export async function sourcesOf({
  storage,
  paths,
  directory,
  standardInput,
}: SourcesOptions): Promise<readonly ContentSource[]> {
  const sources: ContentSource[] = [];
  if (paths.filter((path) => path === "-").length > 1)
    throw new MillraceError("wrong-usage", "standard input (-) can be read only once");
  for (const path of paths) {
    if (path === "-") sources.push({ source: path, open: standardInput });
    else if (isPipe(path, directory))
      sources.push({ source: path, open: () => createReadStream(resolve(directory, path)) });
    else {
      for (const file of await filesOf(storage, [path], directory)) {
        if (sources.some(({ source }) => source === file.source)) continue;
        sources.push({ source: file.source, open: () => fromStorage(storage, file) });
      }
    }
  }
  return sources;
}

/** A named pipe, or what a shell gives for `<(…)`. */
function isPipe(path: string, directory: string): boolean {
  if (isUrl(path) || path.includes("\0")) return false;
  const info = statSync(resolve(directory, path), { throwIfNoEntry: false });
  return info !== undefined && (info.isFIFO() || info.isCharacterDevice() || info.isSocket());
}

/** A small piece first: mostly the beginning is all that is wanted. */
async function* fromStorage(
  storage: Storage,
  file: Parameters<Storage["read"]>[0],
): AsyncGenerator<Uint8Array, void, undefined> {
  const head = await headOf(storage, file, firstBytes);
  yield head;
  if (head.length < file.bytes) yield* storage.read(file, head.length, file.bytes);
}

const firstBytes = 64 * 1024;

/** Read from its beginning by any number of readers, one after the other, each from an offset that is still held. */
export class Content {
  readonly source: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** Copies of the chunks that were read, and where the first of them begins. */
  #held: Buffer[] = [];
  #heldFrom = 0;
  #end = 0;
  #isAtEnd = false;

  constructor({ source, open }: ContentSource) {
    this.source = source;
    this.#chunks = inflated(source, open())[Symbol.asyncIterator]();
  }

  /** The first bytes, at most `bytesMax` of them. All that was read is held. */
  async beginning(bytesMax: number): Promise<Beginning> {
    while (this.#end <= bytesMax && (await this.#more()));
    const bytes = Buffer.concat(this.#held);
    return { source: this.source, bytes: bytes.subarray(0, bytesMax), isWhole: bytes.length <= bytesMax };
  }

  /** The content from an offset on. */
  async *from(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = offset; ; ) {
      let start = this.#heldFrom;
      for (const chunk of this.#held) {
        if (start + chunk.length > at) {
          yield chunk.subarray(at - start);
          at = start + chunk.length;
          break;
        }
        start += chunk.length;
      }
      if (at >= this.#end && !(await this.#more())) return;
    }
  }

  /** What lies before the offset is not read again. */
  release(offset: number): void {
    while (this.#held.length > 1 && this.#heldFrom + this.#held[0]!.length <= offset)
      this.#heldFrom += this.#held.shift()!.length;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #more(): Promise<boolean> {
    if (this.#isAtEnd) return false;
    const next = await this.#chunks.next();
    if (next.done === true) {
      this.#isAtEnd = true;
      return false;
    }
    // Copied, as a chunk is valid only until the next one is asked for.
    this.#held.push(Buffer.from(next.value));
    this.#end += next.value.length;
    return true;
  }
}

/** Decompressed where the first bytes say that it is compressed. Errors name the source. */
async function* inflated(
  source: string,
  stored: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = stored[Symbol.asyncIterator]();
  try {
    const first: Buffer[] = [];
    for (let length = 0; length < 4; ) {
      const next = await chunks.next();
      if (next.done === true) break;
      first.push(Buffer.from(next.value));
      length += next.value.length;
    }
    const compression = detectCompression(Buffer.concat(first));
    const all = joined(first, chunks);
    yield* compression === "none" ? all : decompress(compression, all);
  } catch (thrown) {
    if (!(thrown instanceof MillraceError) || thrown.message.includes(source)) throw thrown;
    throw new MillraceError(thrown.code, `${source}: ${thrown.message}`, { cause: thrown });
  } finally {
    await chunks.return?.();
  }
}

async function* joined(
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
