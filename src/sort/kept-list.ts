// Lists of byte strings in files, which a task writes once and reads as often as it likes. They are runs of one
// segment, so they lie in the memory tier first, and every block is verified when it is read.
//
//   element = a pair with an empty key and the bytes as its value (docs/run-format.md)
import { assert } from "../base/assert.ts";
import { ByteBuffer } from "../base/bytes/byte-buffer.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { removeQuietly } from "./merge.ts";
import type { RunFiles, RunReader } from "./run.ts";
import { openRun } from "./run-reader.ts";
import { createRunWriter, type FileRunWriter } from "./run-writer.ts";

/** The lists of one attempt. Errors are those of `files`, and `corrupt-run`. */
export class KeptLists {
  readonly #files: RunFiles;
  readonly #attempt: AttemptId;
  readonly #lists: List[] = [];
  #names = 0;
  /** The first error of a file, which whoever used the list may have swallowed. */
  broken: { readonly thrown: unknown } | undefined;

  constructor(files: RunFiles, attempt: AttemptId) {
    this.#files = files;
    this.#attempt = attempt;
  }

  /** Begins an empty list. */
  keep(): List {
    const name = `${attemptName(this.#attempt)}.kept-${this.#names++}`;
    const list = this.#guarded(() => new List(this.#files, this.#attempt, name, (use) => this.#guarded(use)));
    this.#lists.push(list);
    return list;
  }

  #guarded<T>(use: () => T): T {
    try {
      return use();
    } catch (thrown) {
      this.broken ??= { thrown };
      throw thrown;
    }
  }

  /** Closes and removes all lists, which can't be used any more. */
  clear(): void {
    for (const list of this.#lists.splice(0)) list.remove();
  }
}

class List {
  readonly #files: RunFiles;
  readonly #attempt: AttemptId;
  readonly #guarded: <T>(use: () => T) => T;
  readonly #writer: FileRunWriter;
  readonly #block = new ByteBuffer(limits.blockBytes);
  #elements = 0;
  #path: string | undefined;
  #reader: RunReader | undefined;
  #target: Buffer | undefined;

  constructor(files: RunFiles, attempt: AttemptId, name: string, guarded: <T>(use: () => T) => T) {
    this.#files = files;
    this.#attempt = attempt;
    this.#guarded = guarded;
    this.#writer = createRunWriter(files, name, attempt);
  }

  /** Appends a copy. Not called after `read`. */
  add(bytes: Uint8Array): void {
    if (this.#block.length > 0 && this.#block.length + bytes.length > limits.blockBytes)
      this.#guarded(() => this.#flush());
    this.#block.writeVarint(0);
    this.#block.writeVarint(bytes.length);
    this.#block.writeBytes(bytes);
    this.#elements++;
  }

  /** All elements in order, each valid until the next; as often as wanted, but one reading at a time. */
  *read(): Generator<Uint8Array> {
    const source = this.#guarded(() => this.#open().source(partition));
    if (source === undefined) return;
    this.#target ??= Buffer.allocUnsafeSlow(source.blockBytesMax);
    const target = this.#target;
    const next = () => this.#guarded(() => source.read(target, 0));
    for (let end = next(); end > 0; end = next()) {
      for (let at = 1; at < end; at++) {
        let length = 0;
        for (let scale = 1; ; scale *= 128) {
          const byte = target[at++]!;
          length += (byte & 127) * scale;
          if (byte < 128) break;
        }
        yield target.subarray(at, at + length);
        at += length;
      }
    }
  }

  /** Also after a failure. */
  remove(): void {
    this.#reader?.close();
    this.#writer.abort();
    if (this.#path !== undefined) removeQuietly(this.#files, this.#path);
  }

  #open(): RunReader {
    if (this.#reader !== undefined) return this.#reader;
    this.#flush();
    const { path } = this.#writer.finish(0n);
    this.#path = path;
    this.#reader = openRun(this.#files.open(path), this.#attempt, path);
    return this.#reader;
  }

  #flush(): void {
    if (this.#elements === 0) return;
    assert(this.#path === undefined, "a list that is read gets no more elements");
    this.#writer.block(partition, this.#block.bytes, 0, this.#block.length, this.#elements, 0, 0n);
    this.#elements = 0;
    this.#block.reset();
  }
}

/** All elements are in one segment. */
const partition = 0;
