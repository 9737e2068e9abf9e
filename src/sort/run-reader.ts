// Opening and reading runs, synchronously, in a slot. The footer is checked when the run is opened or a partition is
// looked up, blocks when they are read. The shuffle's server opens footers by the same code (footer-reads.ts), but
// asynchronously.
import { assert } from "../base/assert.ts";
import { type AttemptId, sameAttempt } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { openFooter, type Reads, type RunFooter } from "./footer-reads.ts";
import type { RunBytes, RunReader, RunSource, Segment } from "./run.ts";
import { attemptOf, blockIdentity, corruptRun } from "./run-format.ts";
import { readAll, SegmentSource, scratch } from "./segment-source.ts";

/**
 * Opens a run and checks the head of its footer; blocks are checked as they are read. `expected` is the attempt that
 * must have written the run. Throws `corrupt-run`, naming the path and what is wrong, and then closes `bytes`.
 */
export function openRun(bytes: RunBytes, expected: AttemptId | undefined, path: string): RunReader {
  try {
    const footer = readNow(openFooter(bytes.size, path), bytes, path);
    if (expected !== undefined && !sameAttempt(footer.writtenBy, expected)) {
      throw corruptRun(path, `written by ${attemptOf(footer.writtenBy)}, not by ${attemptOf(expected)}`);
    }
    return new Reader(bytes, footer, path);
  } catch (error) {
    bytes.close();
    throw error;
  }
}

/** Does the reads that are asked for; `path` is for errors. */
function readNow<T>(reads: Reads<T>, bytes: RunBytes, path: string): T {
  let next = reads.next();
  while (next.done !== true) {
    const { length, position } = next.value;
    const buffer = length <= scratch.length ? scratch.subarray(0, length) : Buffer.allocUnsafeSlow(length);
    readAll(bytes, buffer, 0, length, position, path);
    next = reads.next(buffer);
  }
  return next.value;
}

/** A reader of more segments of one run than this reads them all, and is given the whole footer. */
const lookupsMax = 4;

/** Bytes that were read and are not used yet; valid for one run until it is filled again. */
interface ReadAhead {
  readonly buffer: Buffer;
  start: number;
  end: number;
}

class Reader implements RunReader {
  readonly #bytes: RunBytes;
  readonly #footer: RunFooter;
  readonly #path: string;
  readonly #identity: Buffer;
  #ahead: ReadAhead | undefined;
  #sources = 0;
  #lookups = 0;
  #closed = false;

  constructor(bytes: RunBytes, footer: RunFooter, path: string) {
    this.#bytes = bytes;
    this.#footer = footer;
    this.#path = path;
    this.#identity = blockIdentity(footer.writtenBy);
  }

  get writtenBy(): AttemptId {
    return this.#footer.writtenBy;
  }
  get pairs(): number {
    return this.#footer.pairs;
  }
  get emissionDigest(): bigint {
    return this.#footer.emissionDigest;
  }
  get blockBytesMax(): number {
    return this.#footer.blockBytesMax;
  }
  get segments(): readonly Segment[] {
    return this.#read(this.#footer.segments());
  }

  segment(partition: number): Segment | undefined {
    if (this.#lookups++ === lookupsMax) this.#read(this.#footer.hold());
    return this.#read(this.#footer.find(partition));
  }

  checkFooter(): void {
    this.#read(this.#footer.hold());
  }

  source(partition: number): RunSource | undefined {
    const segment = this.segment(partition);
    if (segment === undefined) return undefined;
    this.#sources++;
    return new SegmentSource(
      segment,
      this.#identity,
      this.#path,
      (length, position) => this.#window(length, position),
      this.#bytes,
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ahead = undefined;
    this.#bytes.close();
  }

  #read<T>(reads: Reads<T>): T {
    assert(!this.#closed, "a closed run is not read");
    return readNow(reads, this.#bytes, this.#path);
  }

  /**
   * Returns where `length` bytes of the file from `position` stand in memory. It reads ahead where that saves system
   * calls: a reader of a second segment of this run (a merge of all partitions) reads the segments one after the other.
   */
  #window(length: number, position: number): { readonly buffer: Buffer; readonly at: number } {
    assert(!this.#closed, "a closed run is not read");
    if (this.#sources < 2 || length > limits.runReadAheadBytes) {
      assert(length <= scratch.length, "a window is small");
      readAll(this.#bytes, scratch, 0, length, position, this.#path);
      return { buffer: scratch, at: 0 };
    }
    this.#ahead ??= { buffer: Buffer.allocUnsafeSlow(limits.runReadAheadBytes), start: 0, end: 0 };
    const ahead = this.#ahead;
    if (position < ahead.start || position + length > ahead.end) {
      const wanted = Math.min(ahead.buffer.length, this.#bytes.size - position);
      ahead.end = ahead.start; // nothing is held while the read may fail
      readAll(this.#bytes, ahead.buffer, 0, wanted, position, this.#path);
      ahead.start = position;
      ahead.end = position + wanted;
    }
    return { buffer: ahead.buffer, at: position - ahead.start };
  }
}
