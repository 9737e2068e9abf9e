// One output file of an attempt: records become bytes, bytes become compressed members, members become a staged file.
import { assert } from "../base/assert.ts";
import { ByteBuffer } from "../base/bytes/byte-buffer.ts";
import type { AttemptId } from "../base/ids.ts";
import { limits, MiB } from "../base/limits.ts";
import type { OutputFormat } from "../format/format.ts";
import type { StagedFile, StagedWriter, Storage } from "../storage/storage.ts";

/** Bytes gathered before a write: fewer calls than this saves nothing. */
const flushBytes = 1 * MiB;

export interface PartWriterOptions {
  readonly storage: Storage;
  readonly destination: string;
  readonly attempt: AttemptId;
  /** Name of the output. */
  readonly output: string;
  /** Path below the destination: `partName`. */
  readonly name: string;
  readonly format: OutputFormat<unknown>;
  /** Turns bytes that end at a record's end into one compressed member, readable by itself; undefined: not compressed. */
  readonly compressMember: ((bytes: Uint8Array) => Uint8Array) | undefined;
}

/**
 * Writes one file. A record that the format refuses leaves no trace. Who may have to take back all that several records
 * wrote (one input record of a map may emit many before it turns out to be bad) calls `mark` before, and `reset` to do it.
 * Where members are cut depends on the records alone, so a file has the same bytes with marks and without.
 */
export class PartWriter {
  readonly #options: PartWriterOptions;
  readonly #staged: StagedWriter;
  readonly #buffer = new ByteBuffer(64 * 1024);
  readonly #memberBytes: number;
  /** Ends of members in the buffer, not yet flushed: the first record end after each `#memberBytes`. */
  #cuts: number[] = [];
  #lastCut = 0;
  #records = 0;
  #members = 0;
  /** Bytes of the buffer and records when `mark` was called; -1: nothing has to be taken back. */
  #markedBytes = -1;
  #markedRecords = 0;

  constructor(options: PartWriterOptions) {
    this.#options = options;
    this.#memberBytes = options.compressMember === undefined ? flushBytes : limits.outputChunkBytes;
    this.#staged = options.storage.stage(options.destination, options.attempt, options.name);
    try {
      options.format.header?.(this.#buffer);
    } catch (thrown) {
      this.#staged.abort();
      throw thrown;
    }
  }

  /** Records written and not taken back. */
  get records(): number {
    return this.#records;
  }

  /** Bytes in the staged file so far; those gathered for the next write are not counted. */
  get bytes(): number {
    return this.#staged.bytes;
  }

  /**
   * Throws what the format throws (`bad-output`, `wrong-value`, `over-limit`), then the record left no trace. Returns what the format
   * returned: a promise is nothing that was written.
   */
  write(record: unknown): unknown {
    const buffer = this.#buffer;
    const { length } = buffer;
    let returned: unknown;
    try {
      returned = this.#options.format.write(record, buffer);
    } catch (thrown) {
      buffer.length = length;
      throw thrown;
    }
    assert(buffer.length >= length, "a format took back bytes of earlier records");
    this.#recordWritten();
    return returned;
  }

  /** A record as the format wrote it before: bytes[start, end). */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#buffer.writeBytes(bytes.subarray(start, end));
    this.#recordWritten();
  }

  /** Many records as the format would write them: bytes[start, end). Not for compressed outputs, whose members end at records. */
  appendAll(bytes: Uint8Array, start: number, end: number, records: number): void {
    assert(this.#options.compressMember === undefined, "members are cut at records");
    if (records === 0) return;
    this.#buffer.writeBytes(bytes.subarray(start, end));
    this.#records += records - 1;
    this.#recordWritten();
  }

  #recordWritten(): void {
    const buffer = this.#buffer;
    this.#records++;
    if (buffer.length - this.#lastCut < this.#memberBytes) return;
    this.#lastCut = buffer.length;
    this.#cuts.push(buffer.length);
    // Memory is bounded, whatever one input record emits: beyond the limit it can't be taken back any more.
    if (this.#markedBytes < 0 || buffer.length - this.#markedBytes > limits.recordBytesMax) this.#flushMembers();
  }

  /** From here on `reset` takes back. Ends the mark before it. */
  mark(): void {
    if (this.#cuts.length > 0) this.#flushMembers();
    this.#markedBytes = this.#buffer.length;
    this.#markedRecords = this.#records;
  }

  /** Takes back what was written since `mark`; false: it was too much (over `limits.recordBytesMax`), part of it is written. */
  reset(): boolean {
    if (this.#markedBytes < 0) return false;
    this.#buffer.length = this.#markedBytes;
    this.#records = this.#markedRecords;
    // `mark` flushed all cuts before it.
    this.#cuts = [];
    this.#lastCut = 0;
    return true;
  }

  /** Flushes and makes the file durable. */
  async finish(): Promise<StagedFile> {
    this.#flushMembers();
    // A compressed file of no members would not be one of its kind.
    const wantsMember = this.#options.compressMember !== undefined && this.#members === 0;
    if (this.#buffer.length > 0 || wantsMember) this.#writeMember(0, this.#buffer.length);
    this.#buffer.reset();
    const { bytes, sha256, token } = await this.#staged.finish();
    return { output: this.#options.output, name: this.#options.name, bytes, records: this.#records, sha256, token };
  }

  /** Removes the file; also after a failure. */
  abort(): void {
    this.#staged.abort();
  }

  #flushMembers(): void {
    let start = 0;
    for (const end of this.#cuts) {
      this.#writeMember(start, end);
      start = end;
    }
    this.#buffer.bytes.copyWithin(0, start, this.#buffer.length);
    this.#buffer.length -= start;
    this.#cuts = [];
    this.#lastCut = 0;
    this.#markedBytes = -1;
  }

  #writeMember(start: number, end: number): void {
    const bytes = this.#buffer.bytes.subarray(start, end);
    const { compressMember } = this.#options;
    this.#staged.write(compressMember === undefined ? bytes : compressMember(bytes));
    this.#members++;
  }
}
