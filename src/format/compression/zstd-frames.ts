// Finds the frames of a zstd file and their blocks (RFC 8878, section 3.1.1), as its bytes arrive. What is wrong around
// frames is found here, so that it is the same for all decoders; what is wrong inside of blocks is found by them.
//
//   file   frame*             frame  magic (4)  header (2-14)  block+  [checksum (4)]
//   block  header (3: last 1 bit, type 2, size 21)  content    skippable frame  magic (4)  size (4)  anything
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { KiB } from "../../base/limits.ts";
import { formatCount } from "../../base/units.ts";

/** A frame of content, as its header describes it. */
export interface ZstdFrame {
  /** Where it begins in the file. */
  readonly offset: number;
  /** Its header as it is stored. */
  readonly header: Uint8Array;
  /** How far back its content may refer. */
  readonly windowBytes: number;
  /** The size of its content; undefined: the header does not say. */
  readonly contentBytes: number | undefined;
  readonly hasChecksum: boolean;
}

/** Whole blocks that follow one another in a frame. */
export interface ZstdBlocks {
  /** As they are stored; valid until the next ones are asked for. */
  readonly bytes: Uint8Array;
  /** Their content has at most this size. */
  readonly contentBytesMax: number;
  /** The frame's last block is among them. */
  readonly isLast: boolean;
}

const blockContentMax = 128 * KiB;
/** The header of its literals, and the number of its sequences. */
const compressedBlockMin = 2;
const checksumBytes = 4;

/** Reads a file frame by frame. The blocks of a frame must be read to their end before the next frame is asked for. */
export class ZstdFrames {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #pending = new ByteBuffer();
  /** The index in `pending` of the first byte that has not been read. */
  #at = 0;
  /** Offset in the file of the first byte of `pending`. */
  #base = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next frame of content; undefined at the end. Skippable frames are skipped. */
  async next(): Promise<ZstdFrame | undefined> {
    while (await this.#has(1)) {
      const offset = this.#base + this.#at;
      if (!(await this.#has(4))) throw this.#endsTooEarly();
      const magic = this.#view().readUInt32LE(0);
      if (magic === 0xfd2fb528) return await this.#frame(offset);
      if (magic >>> 4 !== 0x184d2a5) throw damaged("no frame begins here", offset);
      if (!(await this.#has(8))) throw this.#endsTooEarly();
      await this.#skip(8 + this.#view().readUInt32LE(4));
    }
    return undefined;
  }

  /** The blocks of the frame that `next` has given last. */
  async *blocksOf(frame: ZstdFrame): AsyncGenerator<ZstdBlocks, void, undefined> {
    const blockMax = Math.min(frame.windowBytes, blockContentMax);
    for (let isLast = false; !isLast; ) {
      let end = 0;
      let contentBytesMax = 0;
      // The blocks that are there; at least one.
      while (!isLast && (end === 0 ? await this.#has(3) : this.#holds(end + 3))) {
        const header = this.#view().readUIntLE(end, 3);
        const type = (header >> 1) & 3;
        const size = header >> 3;
        const offset = this.#base + this.#at + end;
        if (type === 3) throw damaged("a block of an unknown type", offset);
        if (size > blockMax) throw damaged("a block that is larger than its frame allows", offset);
        // fzstd would take it for one without content.
        if (type === 2 && size < compressedBlockMin) throw damaged("a block that is too small", offset);
        const behind = end + 3 + (type === 1 ? 1 : size);
        if (end === 0 ? !(await this.#has(behind)) : !this.#holds(behind)) break;
        end = behind;
        isLast = (header & 1) === 1;
        contentBytesMax += type === 2 ? blockMax : size;
      }
      if (end === 0) throw this.#endsTooEarly();
      yield { bytes: this.#view().subarray(0, end), contentBytesMax, isLast };
      this.#at += end;
    }
  }

  /** The checksum behind the last block of a frame that has one, as it is stored. */
  async checksum(): Promise<Uint8Array> {
    if (!(await this.#has(checksumBytes))) throw this.#endsTooEarly();
    const bytes = Uint8Array.from(this.#view().subarray(0, checksumBytes));
    this.#at += checksumBytes;
    return bytes;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #frame(offset: number): Promise<ZstdFrame> {
    if (!(await this.#has(6))) throw this.#endsTooEarly();
    const descriptor = this.#view()[4]!;
    const isSingle = (descriptor & 0x20) !== 0;
    const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
    const sizeAt = 5 + (isSingle ? 0 : 1) + dictionaryBytes;
    if (!(await this.#has(sizeAt + sizeBytes))) throw this.#endsTooEarly();
    const bytes = this.#view();
    if ((descriptor & 8) !== 0) throw damaged("a reserved bit is set", offset);
    if (dictionaryBytes > 0 && bytes.readUIntLE(sizeAt - dictionaryBytes, dictionaryBytes) !== 0) {
      throw new MillraceError(
        "not-supported",
        "the zstd data was compressed with a dictionary, which is not read: decompress the file first (zstd -d -D DICTIONARY)",
      );
    }
    const contentBytes = sizeBytes === 0 ? undefined : contentSize(bytes, sizeAt, sizeBytes);
    const header = Uint8Array.from(bytes.subarray(0, sizeAt + sizeBytes));
    this.#at += header.length;
    return {
      offset,
      header,
      windowBytes: isSingle ? contentBytes! : windowSize(bytes[5]!),
      contentBytes,
      hasChecksum: (descriptor & 4) !== 0,
    };
  }

  #view(): Buffer {
    return this.#pending.view().subarray(this.#at);
  }

  #holds(bytes: number): boolean {
    return this.#pending.length - this.#at >= bytes;
  }

  /** Waits until this many unread bytes are there; false: the file ends before. */
  async #has(bytes: number): Promise<boolean> {
    while (!this.#holds(bytes)) {
      this.#drop();
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#pending.writeBytes(next.value);
    }
    return true;
  }

  /** Skips bytes without holding all of them. */
  async #skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) {
      if (!(await this.#has(1))) throw this.#endsTooEarly();
      const step = Math.min(left, this.#pending.length - this.#at);
      this.#at += step;
      left -= step;
    }
  }

  #drop(): void {
    this.#pending.bytes.copyWithin(0, this.#at, this.#pending.length);
    this.#pending.length -= this.#at;
    this.#base += this.#at;
    this.#at = 0;
  }

  #endsTooEarly(): MillraceError {
    return damaged("the file ends too early", this.#base + this.#pending.length);
  }
}

export function damaged(problem: string, offset: number): MillraceError {
  return new MillraceError(
    "bad-input",
    `the zstd data is damaged: ${problem}, at or behind compressed byte ${formatCount(offset)}`,
  );
}

function contentSize(bytes: Buffer, at: number, length: number): number {
  if (length === 8) return Number(bytes.readBigUInt64LE(at));
  return bytes.readUIntLE(at, length) + (length === 2 ? 256 : 0);
}

/** The window that a descriptor in a header means (RFC 8878, 3.1.1.1.2). */
export function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
