// zstd by WebAssembly, which decodes only whole frames (Node itself has zstd only since 22.15). So frames are found
// here, by the sizes in the headers of their blocks (RFC 8878, section 3.1.1), and decoded one by one.
//
//   file   frame*             frame  magic (4)  header (2-14)  block+  [checksum (4)]
//   block  header (3: last 1 bit, type 2, size 21)  content    skippable frame  magic (4)  size (4)  anything
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { KiB, limits } from "../../base/limits.ts";
import { formatBytes, formatCount } from "../../base/units.ts";

interface Zstd {
  compress(bytes: Uint8Array, level: number): Uint8Array;
  decompress(frame: Uint8Array, options: { readonly defaultHeapSize: number }): Uint8Array;
}

let loading: Promise<Zstd> | undefined;

/** Loads and compiles the decoder once per process, when it is first needed. */
export function loadZstd(): Promise<Zstd> {
  loading ??= (async () => {
    const zstd = await import("@bokuweb/zstd-wasm");
    await zstd.init();
    return zstd;
  })();
  return loading;
}

/**
 * Reads the content of all frames. Throws `bad-input` when the data is damaged, cut short or followed by something
 * else, and `not-supported` for frames with a dictionary or more content than `limits.zstdFrameBytesMax`.
 */
export async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const zstd = await loadZstd();
  const pending = new ByteBuffer();
  /** Offset in the file of the first pending byte. */
  let offset = 0;
  let scan = new FrameScan(offset);
  for await (const chunk of chunks) {
    pending.writeBytes(chunk);
    let at = 0;
    for (let end = scan.end(pending.view()); end >= 0; end = scan.end(pending.view().subarray(at))) {
      if (!scan.isSkippable) yield decode(zstd, pending.view().subarray(at, at + end), scan);
      at += end;
      scan = new FrameScan(offset + at);
    }
    pending.bytes.copyWithin(0, at, pending.length);
    pending.length -= at;
    offset += at;
  }
  if (pending.length > 0) throw damaged("the file ends too early", offset + pending.length);
}

function decode(zstd: Zstd, frame: Uint8Array, { contentMax, offset }: FrameScan): Uint8Array {
  try {
    return zstd.decompress(frame, { defaultHeapSize: contentMax });
  } catch (thrown) {
    // The library throws plain errors with zstd's numeric code.
    const code = thrown instanceof Error ? (/-?\d+/.exec(thrown.message)?.[0] ?? thrown.message) : "unknown";
    throw damaged(`a frame can't be decoded (zstd error ${code})`, offset);
  }
}

function damaged(problem: string, offset: number): MillraceError {
  return new MillraceError(
    "bad-input",
    `the zstd data is damaged: ${problem}, at or behind compressed byte ${formatCount(offset)}`,
  );
}

const blockContentMax = 128 * KiB;

/** Finds the end of one frame, block by block, as its bytes arrive. */
class FrameScan {
  /** Where the frame begins in the file. */
  readonly offset: number;
  isSkippable = false;
  /** The largest content that the frame may have, judging by the blocks seen so far. */
  contentMax = 0;
  /** The index of the next block's header; 0: the frame's header has not been read. */
  #at = 0;
  #hasSize = false;
  #hasChecksum = false;
  #blockMax = 0;

  constructor(offset: number) {
    this.offset = offset;
  }

  /**
   * The index behind the frame in `bytes`, which begin with the frame; -1 when more bytes are needed: call it again
   * with more.
   */
  end(bytes: Buffer): number {
    if (this.#at === 0) {
      const end = this.#header(bytes);
      if (end !== undefined) return end;
    }
    while (this.#at + 3 <= bytes.length) {
      const header = bytes.readUIntLE(this.#at, 3);
      const isLast = (header & 1) === 1;
      const type = (header >> 1) & 3;
      const size = header >> 3;
      if (type === 3) throw damaged("a block of an unknown type", this.offset + this.#at);
      const behind = this.#at + 3 + (type === 1 ? 1 : size);
      if (behind > limits.zstdFrameBytesMax) throw this.#tooLarge();
      const end = behind + (this.#hasChecksum ? 4 : 0);
      if (isLast && end > bytes.length) return -1; // Looked at again when all of it is there.
      if (!this.#hasSize) this.#addContent(type === 2 ? this.#blockMax : size);
      if (isLast) return end;
      this.#at = behind;
    }
    return -1;
  }

  /** Reads the frame's header. Returns what `end` should return, or undefined to continue with the blocks. */
  #header(bytes: Buffer): number | undefined {
    if (bytes.length < 8) {
      // The smallest frame has 9 bytes, so fewer are no frame or not all of one.
      if (bytes.length >= 4) this.#magic(bytes);
      return -1;
    }
    if (this.#magic(bytes) === "skippable") {
      this.isSkippable = true;
      const end = 8 + bytes.readUInt32LE(4);
      if (end > limits.zstdFrameBytesMax) throw this.#tooLarge();
      return end <= bytes.length ? end : -1;
    }
    const descriptor = bytes[4]!;
    const isSingle = (descriptor & 0x20) !== 0;
    const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
    const sizeAt = 5 + (isSingle ? 0 : 1) + dictionaryBytes;
    if (bytes.length < sizeAt + sizeBytes) return -1;
    if ((descriptor & 8) !== 0) throw damaged("a reserved bit is set", this.offset);
    if (dictionaryBytes > 0 && bytes.readUIntLE(sizeAt - dictionaryBytes, dictionaryBytes) !== 0) {
      throw new MillraceError(
        "not-supported",
        "the zstd data was compressed with a dictionary: decompress the file first",
      );
    }
    this.#hasSize = sizeBytes > 0;
    this.#hasChecksum = (descriptor & 4) !== 0;
    if (sizeBytes === 8) this.#addContent(Number(bytes.readBigUInt64LE(sizeAt)));
    else if (sizeBytes > 0) this.#addContent(bytes.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0));
    this.#blockMax = isSingle ? blockContentMax : Math.min(windowBytes(bytes[5]!), blockContentMax);
    this.#at = sizeAt + sizeBytes;
    return undefined;
  }

  #magic(bytes: Buffer): "frame" | "skippable" {
    const magic = bytes.readUInt32LE(0);
    if (magic === 0xfd2fb528) return "frame";
    if (magic >>> 4 === 0x184d2a5) return "skippable";
    throw damaged("no frame begins here", this.offset);
  }

  #addContent(bytes: number): void {
    this.contentMax += bytes;
    if (this.contentMax > limits.zstdFrameBytesMax) throw this.#tooLarge();
  }

  #tooLarge(): MillraceError {
    return new MillraceError(
      "not-supported",
      `the zstd frame at compressed byte ${formatCount(this.offset)} has more than ${formatBytes(limits.zstdFrameBytesMax)}, which this build can't decode: decompress the file first, or compress it in smaller frames (pzstd) or by gzip`,
    );
  }
}

/** RFC 8878, 3.1.1.1.2. */
function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
