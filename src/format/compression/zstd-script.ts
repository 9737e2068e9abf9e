// zstd without Node's own. WebAssembly decodes only whole frames, so that large ones are decoded by fzstd, in
// JavaScript. That library trusts what it is given: it skips checksums and ignores sizes, so both are checked here.
import { Xxh64Stream } from "../../base/bytes/xxh64-stream.ts";
import { limits, MiB } from "../../base/limits.ts";
import { formatCount } from "../../base/units.ts";
import type { StoredFrame, ZstdDecoder } from "./zstd-decoder.ts";
import { damaged, windowSize, type ZstdFrame } from "./zstd-frames.ts";
import { loadZstd, type Zstd } from "./zstd-wasm.ts";

/**
 * fzstd 0.1.1 reads an offset's bits from four bytes, of which up to seven bits belong to something else: an offset of
 * 96 MiB or more, whose 26th bit is set, may come out wrong. This is the largest window below.
 */
const windowBytesMax = 88 * MiB;

/** `wholeBytesMax` is given by tests, for which a large frame would take long. */
export async function scriptZstd(wholeBytesMax: number = limits.zstdFrameBytesMax): Promise<ZstdDecoder> {
  const zstd = await loadZstd();
  return {
    isNative: false,
    wholeBytesMax,
    windowBytesMax,
    whole: (frame, bytes, contentBytesMax) => whole(zstd, frame, bytes, contentBytesMax),
    stream: streamed,
  };
}

function whole(zstd: Zstd, { offset }: ZstdFrame, bytes: Uint8Array, contentBytesMax: number): Uint8Array {
  try {
    return zstd.decompress(bytes, { defaultHeapSize: contentBytesMax });
  } catch (thrown) {
    // The library throws plain errors with zstd's numeric code.
    const code = thrown instanceof Error ? (/-?\d+/.exec(thrown.message)?.[0] ?? thrown.message) : "unknown";
    throw damaged(`a frame can't be decoded (zstd error ${code})`, offset);
  }
}

async function* streamed({ frame, blocks, checksum }: StoredFrame): AsyncGenerator<Uint8Array, void, undefined> {
  const { Decompress } = await import("fzstd");
  const made: Uint8Array[] = [];
  const decoder = new Decompress((content) => void made.push(content));
  const hash = new Xxh64Stream();
  let contentBytes = 0;
  const decode = (bytes: Uint8Array, isLast: boolean) => {
    try {
      decoder.push(bytes, isLast);
    } catch (thrown) {
      throw damaged(`a block can't be decoded (${thrown instanceof Error ? thrown.message : "unknown"})`, frame.offset);
    }
  };
  decode(plainHeader(frame), false);
  // fzstd never lets go of a block that it has been given to its last byte and no further, as it keeps what is behind
  // it, which is a view of nothing, and forgets what it has kept only when that has bytes. So the last byte of each
  // block comes with the next one.
  let kept = noBytes;
  for await (const { bytes, isLast } of blocks) {
    // Block by block, as a few bytes may be the block of 128 KiB.
    for (let at = 0; at < bytes.length; ) {
      const end = blockEnd(bytes, at);
      // fzstd keeps a small first block until the next one comes.
      const isEnd = isLast && end === bytes.length;
      decode(Buffer.concat([kept, bytes.subarray(at, isEnd ? end : end - 1)]), isEnd);
      kept = Uint8Array.of(bytes[end - 1]!);
      at = end;
      for (const content of made.splice(0)) {
        contentBytes += content.length;
        if (frame.hasChecksum) hash.update(content);
        if (content.length > 0) yield content;
      }
    }
  }
  if (frame.contentBytes !== undefined && contentBytes !== frame.contentBytes) {
    const sizes = `it has ${formatCount(contentBytes)} bytes of content, not ${formatCount(frame.contentBytes)}`;
    throw damaged(`a frame is not what its header says (${sizes})`, frame.offset);
  }
  const wanted = Buffer.from(await checksum());
  if (frame.hasChecksum && wanted.readUInt32LE(0) !== Number(hash.digest() & 0xffff_ffffn))
    throw damaged("a frame's checksum is wrong", frame.offset);
}

const noBytes = new Uint8Array(0);

function blockEnd(bytes: Uint8Array, at: number): number {
  const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  return at + 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
}

/** A header that says only how large the window is: fzstd reads sizes of eight bytes wrong. */
function plainHeader({ windowBytes, contentBytes = windowBytes }: ZstdFrame): Uint8Array {
  const needed = Math.min(windowBytes, contentBytes);
  let descriptor = 0;
  while (windowSize(descriptor) < needed) descriptor++;
  return Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, descriptor);
}
