// zstd: frame by frame (zstd-frames.ts), each by the decoder that suits it.
//
//   Node has zstd (22.15, 23.8)  small frames at once, all others as a stream                          zstd-native.ts
//   an older Node                frames of up to 128 MiB at once, by WebAssembly, where there is the
//                                memory; larger ones as a stream, by JavaScript                                                 zstd-script.ts
import { assert } from "../../base/assert.ts";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { formatBytes, formatCount } from "../../base/units.ts";
import type { ZstdDecoder } from "./zstd-decoder.ts";
import { type ZstdBlocks, type ZstdFrame, ZstdFrames } from "./zstd-frames.ts";
import { nativeZstd } from "./zstd-native.ts";

/**
 * Reads the content of all frames. `windowBytesMax` is the memory for the window of a frame. Throws `bad-input` when
 * the data is damaged, cut short or followed by something else, and `not-supported` for frames with a dictionary or a
 * larger window.
 */
export async function* unzstd(
  chunks: AsyncIterable<Uint8Array>,
  windowBytesMax = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = nativeZstd() ?? (await (await import("./zstd-script.ts")).scriptZstd());
  yield* unzstdBy(decoder, chunks, windowBytesMax);
}

/** The same by a given decoder. Exported for tests, which have one Node and two decoders. */
export async function* unzstdBy(
  decoder: ZstdDecoder,
  chunks: AsyncIterable<Uint8Array>,
  windowBytesMax = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void, undefined> {
  const frames = new ZstdFrames(chunks);
  try {
    for (let frame = await frames.next(); frame !== undefined; frame = await frames.next())
      yield* contentOf(decoder, frames, frame, windowBytesMax);
  } finally {
    await frames.close();
  }
}

async function* contentOf(
  decoder: ZstdDecoder,
  frames: ZstdFrames,
  frame: ZstdFrame,
  windowBytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const blocks = frames.blocksOf(frame);
  const checksum = async () => (frame.hasChecksum ? await frames.checksum() : noBytes);
  const held: ZstdBlocks[] = [];
  const wholeMax = wholeBytesMax(decoder, frame, windowBytesMax);
  if (frame.contentBytes === undefined || frame.contentBytes <= wholeMax) {
    const first = await firstBlocks(blocks, wholeMax);
    if (first.isLast && isWithin(first, wholeMax)) {
      await blocks.next(); // the end
      const bytes = Buffer.concat([frame.header, first.bytes, await checksum()]);
      yield decoder.whole(frame, bytes, frame.contentBytes ?? first.contentBytesMax);
      return;
    }
    held.push(first);
  }
  checkWindow(decoder, frame, windowBytesMax);
  yield* decoder.stream({ frame, blocks: following(held, blocks), checksum });
}

/**
 * A frame that is decoded whole takes four times its content: stored in two places, in the decoder's memory and as it
 * is handed on. Where a slot can't hold that, it is read as a stream, if only its window is not too large for one.
 */
function wholeBytesMax(decoder: ZstdDecoder, frame: ZstdFrame, windowBytesMax: number): number {
  if (heldBytes(frame) > decoder.windowBytesMax) return decoder.wholeBytesMax;
  return Math.min(decoder.wholeBytesMax, windowBytesMax / 4);
}

/** How much of its content a stream holds: no more than there is. */
function heldBytes({ windowBytes, contentBytes = Number.POSITIVE_INFINITY }: ZstdFrame): number {
  return Math.min(windowBytes, contentBytes);
}

/** The blocks up to the first one with which there is more content, or more that is stored, than `bytesMax`. */
async function firstBlocks(blocks: AsyncIterator<ZstdBlocks, void>, bytesMax: number): Promise<ZstdBlocks> {
  const stored = new ByteBuffer();
  let contentBytesMax = 0;
  for (;;) {
    const next = await blocks.next();
    assert(next.done !== true, "a frame ends with its last block");
    stored.writeBytes(next.value.bytes);
    contentBytesMax += next.value.contentBytesMax;
    const read = { bytes: stored.view(), contentBytesMax, isLast: next.value.isLast };
    if (read.isLast || !isWithin(read, bytesMax)) return read;
  }
}

function isWithin({ bytes, contentBytesMax }: ZstdBlocks, bytesMax: number): boolean {
  return contentBytesMax <= bytesMax && bytes.length <= bytesMax;
}

/** Lets go of what was held once it is used up. */
async function* following(
  held: ZstdBlocks[],
  blocks: AsyncIterable<ZstdBlocks>,
): AsyncGenerator<ZstdBlocks, void, undefined> {
  for (let first = held.pop(); first !== undefined; first = held.pop()) yield first;
  yield* blocks;
}

const noBytes = new Uint8Array(0);

function checkWindow(decoder: ZstdDecoder, frame: ZstdFrame, windowBytesMax: number): void {
  const { offset } = frame;
  const needed = heldBytes(frame);
  const most = Math.min(decoder.windowBytesMax, windowBytesMax);
  if (needed <= most) return;
  const newer = decoder.isNative ? [] : ["run it on Node 22.15 or later, which reads zstd itself"];
  const more = needed > decoder.windowBytesMax ? [] : ["give slots more memory (--memory, or fewer --slots)"];
  const again = [
    `compress it again with a smaller window (for the zstd program long=${Math.floor(Math.log2(most))} at most)`,
  ];
  throw new MillraceError(
    "not-supported",
    `the zstd frame at compressed byte ${formatCount(offset)} refers back over ${formatBytes(needed)} of its content, and at most ${formatBytes(most)} can be held here: ${[...newer, ...more, ...again].join(", or ")}, or decompress it first`,
  );
}
