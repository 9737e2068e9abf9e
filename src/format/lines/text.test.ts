import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chunksOf,
  formatConformance,
  readAll,
  readSplits,
  wantedEvery,
  writeAll,
} from "../../../test/conformance/format.ts";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { records } from "../binary/records.ts";
import { BadRecord } from "../format.ts";
import { ndjson } from "../json/ndjson.ts";
import { csv } from "../table/csv.ts";
import { tsv } from "../table/tsv.ts";
import { lines } from "./lines.ts";
import { text } from "./text.ts";

const line = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .filter((s) => !s.includes("\n") && !s.endsWith("\r") && !s.startsWith("\ufeff"));

describe("text()", () => {
  formatConformance({
    format: text(),
    samples: [
      { name: "lines", content: "one\ntwo\n", records: ["one", "two"], starts: [0, 4] },
      { name: "a last line without line feed", content: "one\ntwo", records: ["one", "two"], starts: [0, 4] },
      { name: "an empty file (fault 70)", content: "", records: [] },
      { name: "empty lines", content: "\n\na\n\n", records: ["", "", "a", ""], starts: [0, 1, 2, 4] },
      {
        name: "CR LF, of which one CR is stripped",
        content: "a\r\nb\r\r\n\r\nc\r",
        records: ["a", "b\r", "", "c\r"],
        starts: [0, 3, 7, 9],
      },
      { name: "a byte order mark", content: "\ufeffa\r\nb\n", records: ["a", "b"], starts: [0, 6] },
      { name: "nothing but a byte order mark", content: "\ufeff", records: [] },
      {
        name: "a byte order mark and an empty line",
        content: "\ufeff\n\ufeff\n",
        records: ["", "\ufeff"],
        starts: [0, 4],
      },
      {
        name: "characters of two, three and four bytes",
        content: "é\nпривет мир\n日本\r\n😀 and ASCII\nplain\n’",
        records: ["é", "привет мир", "日本", "😀 and ASCII", "plain", "’"],
      },
      {
        name: "U+FFFD and U+2028 themselves, and NUL",
        content: "\ufffd\n\u2028\u0085\n\0\n",
        records: ["\ufffd", "\u2028\u0085", "\0"],
      },
    ],
    written: { records: line },
  });

  it("decodes the same whichever way a block goes: mixed, sparse and dense non-ASCII text", async () => {
    const kinds = ["plain ASCII", "prose with a ’ quote", "Съешь ещё этих мягких", "", "日本語\r"];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 3000 })), { minLength: 1, maxLength: 5 }),
        async (runs) => {
          const wanted = runs.flatMap(([kind, count]) =>
            Array.from({ length: count }, (_, i) => `${kinds[kind]} ${i}`),
          );
          const bytes = Buffer.from(`${wanted.join("\n")}\n`);
          const all = await readAll(text(), bytes, 100_000);
          expect(all.records).toEqual(wanted);
          expect(all.starts[wanted.length - 1]).toBe(bytes.length - Buffer.byteLength(wanted.at(-1)!) - 1);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("fault 72: refuses a record that is not UTF-8, after those before it, with where it is and where to go on", async () => {
    const bytes = Buffer.concat([Buffer.from("\ufeffgood\nso far "), Buffer.of(0xc3, 0x28), Buffer.from("\r\nnext\n")]);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const batch of text().read(chunksOf(bytes, 4), {
        start: 0,
        end: Number.POSITIVE_INFINITY,
        head: bytes,
      }))
        seen.push(...batch.records);
    })();
    const bad = await reading.catch((error: unknown) => error);
    expect(seen).toEqual(["good"]);
    expect(bad).toBeInstanceOf(BadRecord);
    expect(bad).toMatchObject({ start: 8, end: 19 });
    expect((bad as BadRecord).message).toMatch(
      /not UTF-8 \(byte 0x[0-9a-f]{2} at offset 15\).*iconv -f LATIN1 -t UTF-8/,
    );
    expect(Buffer.from((bad as BadRecord).bytes).toString("latin1")).toBe("so far \xc3(\r\n");
  });

  it("fault 72: replaces and counts what is not UTF-8, if asked to", async () => {
    const bytes = Buffer.concat([
      Buffer.from("ok\nb"),
      Buffer.of(0xff),
      Buffer.from("d\nтак\n"),
      Buffer.of(0xed, 0xa0, 0x80, 10),
    ]);
    let replaced = 0;
    const seen: string[] = [];
    for await (const batch of text({ invalid: "replace" }).read(chunksOf(bytes, 100), {
      start: 0,
      end: Number.POSITIVE_INFINITY,
      head: bytes,
    })) {
      seen.push(...batch.records);
      replaced += batch.replaced ?? 0;
    }
    expect(seen).toEqual(["ok", "b\ufffdd", "так", "\ufffd\ufffd\ufffd"]);
    expect(replaced).toBe(2);
  });

  it.each(["a\nb", "\n", "ends in\r"])("refuses to write %j, which would be read back as something else", (record) => {
    expect(() => writeAll(text(), [record])).toThrow(/not be read back/);
  });

  it("refuses to write half of a surrogate pair (fault 83)", () => {
    expect(() => writeAll(text(), ["\ud83d"])).toThrow(/surrogate/);
  });

  it("refuses options that make no sense", () => {
    expect(() => text({ delimiter: "" })).toThrow(/delimiter/);
    expect(() => text({ invalid: "ignore" as "fail" })).toThrow(/invalid/);
  });
});

describe.each([";", "||", "\r\n", "\n\n-", "ж", "€uro"])("text({ delimiter: %j })", (delimiter) => {
  formatConformance({
    format: text({ delimiter }),
    samples: [
      { name: "records", content: `a\r${delimiter}${delimiter}bж€${delimiter}`, records: ["a\r", "", "bж€"] },
      {
        name: "a last record without delimiter",
        content: `a${delimiter}b${delimiter[0]}`,
        records: delimiter.length === 1 ? ["a", "b"] : ["a", `b${delimiter[0]}`],
      },
    ].filter(
      ({ records }) => delimiter === ";" || delimiter.length > 1 || records.every((r) => !r.includes(delimiter)),
    ),
    written: {
      records: fc
        .string({ unit: fc.constantFrom("a", "|", "\n", "\r", "-", "ж", "€", "u") })
        .filter((s) => !`${s}${delimiter}`.slice(0, -1).includes(delimiter)),
    },
  });
});

describe("text() with a delimiter that overlaps itself", () => {
  it("refuses to write a record whose end would become part of a delimiter", () => {
    expect(() => writeAll(text({ delimiter: "aa" }), ["ba"])).toThrow(/not be read back/);
    expect(writeAll(text({ delimiter: "aa" }), ["ab"])).toHaveLength(4);
  });

  it.each(["aa", "abab", "\n\n", "aba"])(
    "reads %j from the left, from the start of the file only",
    async (delimiter) => {
      const format = text({ delimiter });
      expect(format.split).toBe("whole-file");
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 30 }),
          fc.integer({ min: 1, max: 5 }),
          async (content, size) => {
            const expected = content.split(delimiter);
            if (expected.at(-1) === "") expected.pop();
            expect((await readAll(format, Buffer.from(content), size)).records).toEqual(expected);
            expect(
              (await readSplits(format, Buffer.from(content), wantedEvery(size, content.length), size)).records,
            ).toEqual(expected);
          },
        ),
      );
    },
  );
});

it("asks for an await where a promise is written, as do all formats", () => {
  for (const format of [
    text(),
    lines(),
    records(),
    csv(),
    tsv(),
    tsv({ columns: { a: utf8 } }),
    ndjson(),
    ndjson({ fields: { a: utf8 } }),
  ])
    expect(() => format.write(Promise.resolve("a") as never, new ByteBuffer())).toThrow(
      /a promise \(a missing await\?\)/,
    );
});
