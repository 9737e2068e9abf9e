// Where fetched segments are written on the fetching side.
import { assert } from "../base/assert.ts";
import { KiB } from "../base/limits.ts";
import type { RunFile, RunFiles } from "../sort/run.ts";
import type { SegmentSink } from "./segment-stream.ts";

/** The file that takes the segments of one request. It is created with the first byte, and written in large pieces. */
export class FetchFile implements SegmentSink {
  position = 0;
  readonly #files: RunFiles;
  readonly #name: string;
  /** Shared by files that are written one after the other. */
  readonly #buffer: Buffer;
  #buffered = 0;
  #file: RunFile | undefined;

  constructor(files: RunFiles, name: string, buffer: Buffer) {
    this.#files = files;
    this.#name = name;
    this.#buffer = buffer;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.position += end - start;
    if (end - start > this.#buffer.length - this.#buffered) this.#flush();
    if (end - start >= alonePieceBytes) {
      this.#flush();
      this.#write(bytes.subarray(start, end));
    } else {
      this.#buffer.set(bytes.subarray(start, end), this.#buffered);
      this.#buffered += end - start;
    }
  }

  /** Finishes the file and returns its path; undefined when nothing was appended, and there is no file. */
  finish(): string | undefined {
    if (this.position === 0) return undefined;
    this.#flush();
    assert(this.#file !== undefined, "what has bytes was made");
    const { path, bytes } = this.#file.finish();
    assert(bytes === this.position, "the file has the bytes that were appended");
    this.#file = undefined;
    return path;
  }

  /** Removes the file, unless it was finished. */
  abort(): void {
    this.#file?.abort();
    this.#file = undefined;
  }

  #flush(): void {
    if (this.#buffered === 0) return;
    this.#write(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #write(bytes: Uint8Array): void {
    this.#file ??= this.#files.create(this.#name);
    this.#file.write(bytes);
  }
}

/**
 * A piece of at least this size is written without copying it: a system call costs less than the copy. Sockets give up
 * to 64 KiB.
 */
const alonePieceBytes = 16 * KiB;
