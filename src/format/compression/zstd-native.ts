// zstd by Node itself, where it has it. Node's stream is given one frame, as what follows a frame is not the same in
// all versions: Node 22 ignores it, and takes a file that is cut short for a whole one.
import type { Transform } from "node:stream";
import * as nodeZlib from "node:zlib";
import { systemCode } from "../../base/error.ts";
import { GiB, KiB, MiB } from "../../base/limits.ts";
import { Feeder } from "./feeder.ts";
import type { StoredFrame, ZstdDecoder } from "./zstd-decoder.ts";
import { damaged, type ZstdFrame } from "./zstd-frames.ts";

interface Options {
  readonly chunkSize: number;
  readonly params: Readonly<Record<number, number>>;
}

/** What `node:zlib` has of zstd; the types are those of the oldest Node that is supported. */
interface ZlibWithZstd {
  createZstdDecompress(options: Options): Transform;
  zstdDecompressSync(bytes: Uint8Array, options: Options): Buffer;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}

/** Undefined where Node has no zstd. */
export function nativeZstd(): ZstdDecoder | undefined {
  const zlib = nodeZlib as unknown as Partial<ZlibWithZstd>;
  return typeof zlib.createZstdDecompress === "function" && typeof zlib.zstdDecompressSync === "function"
    ? decoderOf(zlib as ZlibWithZstd)
    : undefined;
}

/** A stream takes some 100 microseconds to begin, and decodes in another thread. */
const wholeBytesMax = 1 * MiB;
const windowLogMax = 31;

function decoderOf(zlib: ZlibWithZstd): ZstdDecoder {
  const params = { [zlib.constants.ZSTD_d_windowLogMax]: windowLogMax };
  return {
    isNative: true,
    wholeBytesMax,
    windowBytesMax: 2 * GiB,
    whole: (frame, bytes, contentBytesMax) => {
      try {
        return zlib.zstdDecompressSync(bytes, { chunkSize: Math.max(contentBytesMax, chunkBytesMin), params });
      } catch (thrown) {
        throw refusedBy(thrown, frame);
      }
    },
    stream: (stored) => streamed(zlib.createZstdDecompress({ chunkSize: 256 * KiB, params }), stored),
  };
}

/** The least that `node:zlib` takes. */
const chunkBytesMin = 64;

async function* streamed(stream: Transform, stored: StoredFrame): AsyncGenerator<Uint8Array, void, undefined> {
  // As for gzip: an error that comes between two turns of the loop has no other listener.
  stream.on("error", () => {});
  const feeder = new Feeder(stream, bytesOf(stored));
  const fed = feeder.run();
  try {
    for await (const content of stream) yield content as Uint8Array;
    await fed;
    if (feeder.failure !== undefined) throw feeder.failure;
  } catch (thrown) {
    if (feeder.failure !== undefined) throw feeder.failure;
    throw refusedBy(thrown, stored.frame);
  } finally {
    stream.destroy();
    await fed;
  }
}

async function* bytesOf({ frame, blocks, checksum }: StoredFrame): AsyncGenerator<Uint8Array, void, undefined> {
  yield frame.header;
  for await (const { bytes } of blocks) yield bytes;
  yield await checksum();
}

/** What is thrown for data that zstd refuses; anything else is thrown as it is. */
function refusedBy(thrown: unknown, { offset }: ZstdFrame): unknown {
  const code = systemCode(thrown);
  if (code?.startsWith("ZSTD_") !== true && code?.startsWith("Z_") !== true) return thrown;
  return damaged(`a frame can't be decoded (${code})`, offset);
}
