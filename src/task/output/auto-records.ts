import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { OutputFormat } from "../../format/format.ts";
import type { Codec } from "../../job/codec.ts";
import { autoValue } from "../../job/codecs/auto.ts";

const codec = autoValue as Codec<unknown>;
const scratch = new ByteBuffer();

/**
 * Records of any kind as `run` reads them back: each encoded by the `auto` codec, after its length as a 4-byte
 * big-endian number, which is what `records()` reads.
 */
export const autoRecords: OutputFormat<unknown> = {
  extension: "records",
  write(record, out) {
    scratch.reset();
    codec.write(record, scratch);
    for (let shift = 24; shift >= 0; shift -= 8) out.writeUint8((scratch.length >>> shift) & 255);
    out.writeBytes(scratch.view());
  },
};
