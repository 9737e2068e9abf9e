// Lines as bytes, unchanged: `lines()`. Described in docs/formats/lines.md.
import { asBuffer } from "../base/bytes.ts";
import { MillraceError } from "../base/error.ts";
import { type Block, readBlocks } from "./block-reader.ts";
import { delimited } from "./boundary.ts";
import type { Format, RecordBatch } from "./format.ts";

const lineFeed = Uint8Array.of(10);

/** Lines as bytes, unchanged, without the "\n". */
export function lines(): Format<Uint8Array> {
  return {
    split: "anywhere",
    extension: "txt",
    recordStart: (bytes) => asBuffer(bytes).indexOf(10) + 1 || -1,
    async *read(chunks, from) {
      for await (const block of readBlocks(chunks, from, { boundary: delimited(lineFeed) })) yield sliced(block);
    },
    write(record, out) {
      if (!(record instanceof Uint8Array))
        throw new MillraceError("bad-output", `lines() writes Uint8Array, not ${typeof record}`);
      if (record.includes(10)) {
        throw new MillraceError(
          "bad-output",
          "a record of lines() contains a line feed, so it would be read back as two. Use records().",
        );
      }
      out.writeBytes(record);
      out.writeBytes(lineFeed);
    },
  };
}

/** The block's lines as views of one copy of it, as the chunk's memory may be used again. */
function sliced({ bytes, base }: Block): RecordBatch<Uint8Array> {
  const copy = new Uint8Array(bytes);
  const text = bytes.toString("latin1");
  const records: Uint8Array[] = [];
  const starts: number[] = [];
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf("\n", at);
    const end = found < 0 ? text.length : found;
    starts.push(base + at);
    records.push(new Uint8Array(copy.buffer, at, end - at));
    at = end + 1;
  }
  return { records, starts: new Float64Array(starts), end: base + bytes.length };
}
