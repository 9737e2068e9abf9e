// The interface of what decodes a frame of zstd: zstd-native.ts and zstd-script.ts implement it.
import type { ZstdBlocks, ZstdFrame } from "./zstd-frames.ts";

/** What decodes frames. Its functions throw `bad-input` for data that can't be decoded. */
export interface ZstdDecoder {
  /** Whether it is Node's own. */
  readonly isNative: boolean;
  /** Frames with no more content and no more stored bytes are decoded at once, all others as a stream. */
  readonly wholeBytesMax: number;
  /** The largest window of a stream. */
  readonly windowBytesMax: number;
  /** Decodes a frame of which all bytes are there, and whose content has at most this size. */
  whole(frame: ZstdFrame, bytes: Uint8Array, contentBytesMax: number): Uint8Array;
  stream(stored: StoredFrame): AsyncIterable<Uint8Array>;
}

/** The parts of a frame, which are read in this order. */
export interface StoredFrame {
  readonly frame: ZstdFrame;
  readonly blocks: AsyncIterable<ZstdBlocks>;
  /** The checksum as it is stored; empty where the frame has none. */
  checksum(): Promise<Uint8Array>;
}
