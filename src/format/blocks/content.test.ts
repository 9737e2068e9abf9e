import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryInputs } from "../../../test/support/memory-inputs.ts";
import { readSplit } from "../../input/read-split.ts";
import { resolveInputs } from "../../input/resolve.ts";
import { records } from "../binary/records.ts";
import { wholeFiles } from "../binary/whole-files.ts";
import { decompress, detectCompression } from "../compression/compress.ts";
import type { InputFormat } from "../format.ts";
import { ndjson } from "../json/ndjson.ts";
import { lines } from "../lines/lines.ts";
import { text } from "../lines/text.ts";
import { csv } from "../table/csv.ts";
import { tsv } from "../table/tsv.ts";

const latin1 = (content: string) => Buffer.from(content, "latin1");
const utf16 = (content: string) => Buffer.from(content, "utf16le");
const swapped = (content: string) => Buffer.from(utf16(content)).swap16();
const tar = execFileSync("tar", ["-cf", "-", "package.json"]);
/** Tar as it was before it had a magic number. */
const oldTar = (() => {
  const head = Buffer.alloc(1024);
  head.write("file.txt");
  head.write("0000644\0", 100);
  head.write("        ", 148);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return head;
})();

const foreign: readonly (readonly [name: string, content: Uint8Array])[] = [
  ["bzip2", latin1("BZh91AY&SY\x12\x34")],
  ["bzip2", latin1("BZh9\x17rE8P\x90\0\0\0\0")],
  ["xz", latin1("\xfd7zXZ\0\0\x04")],
  ["lzma", latin1("]\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0")],
  ["lz4", latin1("\x04\x22\x4d\x18dd")],
  ["snappy", latin1("\xff\x06\0\0sNaPpY")],
  ["compress", latin1("\x1f\x9d\x90abc")],
  ["zip", latin1("PK\x03\x04\x14\0")],
  ["zip", latin1("PK\x05\x06\0\0")],
  ["7z", latin1("7z\xbc\xaf\x27\x1c\0\x04")],
  ["rar", latin1("Rar!\x1a\x07\x01\0")],
  ["tar", tar],
  ["tar", oldTar],
  ["Parquet", latin1("PAR1\x15\x04\x15 data \x10\0\0\0PAR1")],
  ["ORC", latin1("ORC data ORC\x17")],
  ["Avro", latin1("Obj\x01\x04\x14avro.codec")],
  ["Arrow", latin1("ARROW1\0\0\xff\xff")],
  ["Feather", latin1("FEA1 data \x10\0\0\0FEA1")],
  ["SQLite", latin1("SQLite format 3\0\x10\0")],
  ["PDF", latin1("%PDF-1.4\n%\xe2\xe3\n data \nstartxref\n9\n%%EOF\n")],
  ["old Office", latin1("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")],
  ["UTF-32", latin1("\xff\xfe\0\0a\0\0\0")],
  ["UTF-16", utf16("\ufeffid,name\n1,ann\n")],
  ["UTF-16", swapped("\ufeffid,name\n1,ann\n")],
  ["UTF-16 (little-endian, without a mark)", utf16("id,naïve €\n1,ann\n")],
  ["UTF-16 (big-endian, without a mark)", swapped('{"a":1}\n')],
];
const ofText: readonly (readonly [name: string, format: InputFormat<never>])[] = [
  ["text()", text()],
  ["text({ invalid })", text({ invalid: "replace" })],
  ["text({ delimiter })", text({ delimiter: ";" })],
  ["lines()", lines()],
  ["ndjson()", ndjson()],
  ["csv()", csv()],
  ["csv({ header })", csv({ header: true, multiline: false })],
  ["tsv()", tsv()],
] as never;
const ofBytes = [records(4), records(), wholeFiles()] as unknown as readonly InputFormat<never>[];
const signal = new AbortController().signal;

function planned(content: Uint8Array, format: InputFormat<never>, path = "in/a") {
  return resolveInputs({
    storage: memoryInputs({ [`/${path}`]: content }, 100),
    inputs: [{ name: "", paths: [path] }],
    directory: "/",
    detectCompression,
    formatOf: () => format as InputFormat<unknown>,
  });
}

describe("a file that is no text", () => {
  it.each(ofText)("is named before %s reads any of it, with what to do", async (_name, format) => {
    for (const [what, content] of foreign) {
      await expect(planned(content, format), what).rejects.toMatchObject({
        code: "bad-input",
        message: expect.stringMatching(new RegExp(`^in/a: it is .*${what.replace(/[()]/g, ".")}.*first|once`, "i")),
      });
    }
  });

  it("is fine for formats of bytes, and for a format of the job's own", async () => {
    const own: InputFormat<never> = { split: "whole-file", async *read() {} };
    for (const format of [...ofBytes, own]) {
      for (const [what, content] of foreign) expect(await planned(content, format), what).toHaveLength(1);
    }
  });

  it("is found inside gzip, as the beginning of what is read anyway", async () => {
    for (const [what, content] of [...foreign, ["gzip", gzipSync("a\n")] as const]) {
      const storage = memoryInputs({ "in/a.gz": gzipSync(content) }, 100);
      const [info] = await storage.list("in/a.gz");
      const file = { ...info!, source: "in/a.gz", input: 0, compression: "gzip" as const };
      const reading = async () => {
        const split = [{ file: 0, start: 0, end: file.bytes }];
        const formatOf = () => text() as InputFormat<unknown>;
        for await (const _ of readSplit({ split, files: { 0: file }, formatOf, storage, decompress, signal }));
      };
      await expect(reading(), what).rejects.toMatchObject({
        code: "bad-input",
        message: expect.stringMatching(/^in\/a\.gz: inside the gzip data it is /),
      });
    }
  });
});

describe("text that begins as something else does", () => {
  it.each([
    "BZh9 is how bzip2 begins\n",
    "BZh91AY&SX",
    "PK\nPKZIP\n",
    "PAR1, PAR2\n",
    "PAR1\nPAR3\n",
    "ORC,elf\nx,y\n",
    "Obj,x\n",
    "FEA1\tx\n",
    "ARROW1 and 2\n",
    "Rar! said the lion\n",
    "7z a\n",
    "SQLite format 3 is old\n",
    "%PDF-1.4 is how it begins\n",
    "%PDF\n",
    "LZIP\n",
    "]\n",
    "",
    "a",
    "\0",
    "a\0b",
    "\ufeffid\n",
    " 1 2 3\n".repeat(200),
    "0".repeat(600),
  ])("is text: %j", async (content) => {
    for (const [name, format] of ofText) expect(await planned(Buffer.from(content), format), name).toHaveLength(1);
  });

  it("is text whatever ASCII, or UTF-8, it is made of", async () => {
    const some = fc.oneof(
      fc.string({ unit: "binary-ascii", maxLength: 600 }).map((content) => content.replaceAll("\0", " ")),
      fc.string({ unit: "grapheme", maxLength: 300 }).map((content) => content.replaceAll("\0", " ")),
    );
    await fc.assert(
      fc.asyncProperty(some, async (content) => {
        const bytes = Buffer.from(content);
        fc.pre(detectCompression(bytes) === "none");
        expect(await planned(bytes, lines() as never)).toHaveLength(1);
      }),
    );
  });

  it("may have zero bytes for its delimiter", async () => {
    const content = Buffer.from("a\0b\0c\0d\0");
    expect(await planned(content, text({ delimiter: "\0" }) as never)).toHaveLength(1);
    await expect(planned(content, text() as never)).rejects.toThrow(/UTF-16/);
  });
});
