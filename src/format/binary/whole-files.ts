// A file is one record: `wholeFiles()`. docs/formats/whole-files.md describes it.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { limits } from "../../base/limits.ts";
import { formatBytes } from "../../base/units.ts";
import { BadRecord, type InputFormat } from "../format.ts";

/** Each file is one record, its bytes: at most 64 MiB. An empty file has no record. For input only. */
export function wholeFiles(): InputFormat<Uint8Array> {
  return {
    split: "whole-file",
    async *read(chunks, from) {
      if (from.start > 0 || from.end <= 0) return; // The only record begins at 0.
      const content = new ByteBuffer();
      for await (const chunk of chunks) {
        if (content.length + chunk.length > limits.recordBytesMax) {
          const message = `the file has more than ${formatBytes(limits.recordBytesMax)}, the limit of a record`;
          throw new BadRecord(message, 0, undefined, content.copy().slice(0, limits.excerptBytes));
        }
        content.writeBytes(chunk);
      }
      // A record begins with its first byte, so an empty file holds none.
      if (content.length > 0) yield { records: [content.copy()], starts: new Float64Array(1), end: content.length };
    },
  };
}
