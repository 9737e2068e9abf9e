// Writes one output file of an attempt: records become bytes, bytes become compressed members, members become a staged
// file.
import { assert } from "../base/assert.ts";
import { ByteBuffer } from "../base/bytes/byte-buffer.ts";
import type { AttemptId } from "../base/ids.ts";
import { limits, MiB } from "../base/limits.ts";
import type { OutputFormat } from "../format/format.ts";
import type { StagedFile, StagedPrefix, StagedWriter, Storage } from "../storage/storage.ts";

/** Bytes gathered before a write; larger writes would save nothing more. */
const flushBytes = 1 * MiB;

export interface PartWriterOptions {
  readonly storage: Storage;
  readonly destination: string;
  readonly attempt: AttemptId;
  /** The output's name. */
  readonly output: string;
  /** The path below the destination: `partName`. */
  readonly name: string;
  readonly format: OutputFormat<unknown>;
  /**
   * Turns bytes that end at a record's end into one compressed member, which can be read by itself; undefined: no
   * compression.
   */
  readonly compressMember: ((bytes: Uint8Array) => Uint8Array) | undefined;
  /** Whether `save` and `leave` may be called. Default false. */
  readonly isSavable?: boolean | undefined;
  /** What another attempt had saved of the same output. Default: nothing. */
  readonly from?: SavedPart | undefined;
  /** Called now and then while that is copied. */
  readonly beat?: (() => void) | undefined;
}

/** How far a part writer had come, at a record's end. */
export interface SavedPart {
  /** The output's name. */
  readonly output: string;
  readonly records: number;
  /** Compressed members in the staged file. */
  readonly members: number;
  readonly staged: StagedPrefix;
  /** What comes behind it, not compressed yet: a member is not cut earlier because something was saved. */
  readonly pending: Uint8Array;
}

/**
 * Writes one file. A record that the format refuses leaves no trace. A caller that may have to take back several
 * records (one input record of a map may emit many before it turns out to be bad) calls `mark` before them, and `reset`
 * to take them back. The records alone decide where members are cut, so a file has the same bytes with marks and
 * without.
 */
export class PartWriter {
  readonly #options: PartWriterOptions;
  readonly #staged: StagedWriter;
  readonly #buffer = new ByteBuffer(64 * 1024);
  readonly #memberBytes: number;
  /** Ends of members in the buffer that are not flushed yet: the first record end after each `#memberBytes`. */
  #cuts: number[] = [];
  #lastCut = 0;
  #records = 0;
  #members = 0;
  /** The buffer's bytes and the records when `mark` was called; -1: nothing can be taken back. */
  #markedBytes = -1;
  #markedRecords = 0;

  constructor(options: PartWriterOptions) {
    this.#options = options;
    this.#memberBytes = options.compressMember === undefined ? flushBytes : limits.outputChunkBytes;
    const { storage, destination, attempt, name, isSavable, from, beat } = options;
    this.#staged = storage.stage(destination, attempt, name, undefined, { isSavable, from: from?.staged, beat });
    if (from !== undefined) {
      this.#buffer.writeBytes(from.pending);
      this.#records = from.records;
      this.#members = from.members;
      return; // the header is in what was saved
    }
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

  /** Bytes in the staged file so far, without those that wait for the next write. */
  get bytes(): number {
    return this.#staged.bytes;
  }

  /**
   * Writes a record. Throws what the format throws (`bad-output`, `wrong-value`, `over-limit`); the record has then
   * left no trace. Returns what the format returned: if that is a promise, the format has not written the record yet.
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

  /** Appends a record that the format has written before: bytes[start, end). */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#buffer.writeBytes(bytes.subarray(start, end));
    this.#recordWritten();
  }

  /**
   * Appends many records as the format would write them: bytes[start, end). Not for compressed outputs, whose members
   * end at records.
   */
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
    // Memory is bounded whatever one input record emits: beyond the limit its output can't be taken back any more.
    if (this.#markedBytes < 0 || buffer.length - this.#markedBytes > limits.recordBytesMax) this.#flushMembers();
  }

  /** Sets the point to which `reset` goes back. Replaces the mark before it. */
  mark(): void {
    if (this.#cuts.length > 0) this.#flushMembers();
    this.#markedBytes = this.#buffer.length;
    this.#markedRecords = this.#records;
  }

  /**
   * Takes back what was written since `mark`. Returns false when that was too much (over `limits.recordBytesMax`): then
   * part of it is in the file.
   */
  reset(): boolean {
    if (this.#markedBytes < 0) return false;
    this.#buffer.length = this.#markedBytes;
    this.#records = this.#markedRecords;
    // `mark` flushed all cuts before it.
    this.#cuts = [];
    this.#lastCut = 0;
    return true;
  }

  /** Flushes, and makes the file durable. Called once. */
  async finish(): Promise<StagedFile> {
    this.#flushMembers();
    // A compressed file without a single member would not be a valid file of its kind.
    const wantsMember = this.#options.compressMember !== undefined && this.#members === 0;
    if (this.#buffer.length > 0 || wantsMember) this.#writeMember(0, this.#buffer.length);
    this.#buffer.reset();
    const { bytes, sha256, token } = await this.#staged.finish();
    return { output: this.#options.output, name: this.#options.name, bytes, records: this.#records, sha256, token };
  }

  /** Removes the file, also after a failure. */
  abort(): void {
    this.#staged.abort();
  }

  /** Saves all records so far, for another attempt. They can't be taken back any more. */
  save(): SavedPart {
    this.#flushMembers();
    if (this.#options.compressMember === undefined && this.#buffer.length > 0) {
      this.#writeMember(0, this.#buffer.length);
      this.#buffer.reset();
    }
    return {
      output: this.#options.output,
      records: this.#records,
      members: this.#members,
      staged: this.#staged.save(),
      pending: this.#buffer.copy(),
    };
  }

  /** Ends writing without removing what was saved. */
  leave(): void {
    this.#staged.leave();
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
