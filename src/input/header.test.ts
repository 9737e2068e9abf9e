import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { memoryInputs } from "../../test/support/memory-inputs.ts";
import { MiB } from "../base/limits.ts";
import { decompress, detectCompression } from "../format/compression/compress.ts";
import type { InputFormat } from "../format/format.ts";
import { csv } from "../format/table/csv.ts";
import { tsv } from "../format/table/tsv.ts";
import { utf8 } from "../job/codecs/utf8.ts";
import { BadRecordIn } from "./bad-record.ts";
import { withHeaders } from "./header.ts";
import type { PlannedFile } from "./plan.ts";
import { readSplit } from "./read-split.ts";
import { resolveInputs } from "./resolve.ts";
import { planSplits } from "./split.ts";

const signal = new AbortController().signal;
const count = 20_000;
const names = (separator: string) => Array.from({ length: count }, (_, i) => `c${i}`).join(separator);
const row = (n: number, separator: string) => Array.from({ length: count }, (_, i) => (n * i) % 10).join(separator);
const table = (separator: string, before = "") =>
  `${before}${names(separator)}\n${Array.from({ length: 12 }, (_, n) => `${row(n, separator)}\n`).join("")}`;
const columns = { c0: utf8, c19999: utf8 };
const expected = Array.from({ length: 12 }, (_, n) => ({ c0: "0", c19999: String((n * 19_999) % 10) }));

async function read(
  format: InputFormat<never>,
  files: Readonly<Record<string, string | Uint8Array>>,
  splitBytes: number,
) {
  const storage = memoryInputs(
    Object.fromEntries(Object.entries(files).map(([name, content]) => [`/${name}`, content])),
    50_000,
  );
  const formatOf = () => format as InputFormat<unknown>;
  const found = await resolveInputs({
    storage,
    inputs: [{ name: "", paths: Object.keys(files) }],
    directory: "/",
    detectCompression,
    formatOf,
  });
  const splits = await planSplits({ storage, files: found, formatOf, splitBytes });
  const planned: PlannedFile[] = await withHeaders({ storage, files: found, splits, formatOf });
  const records: unknown[] = [];
  for (const split of splits) {
    for await (const { batch } of readSplit({ split, files: planned, formatOf, storage, decompress, signal }))
      records.push(...batch.records);
  }
  return { records, planned, splits };
}

describe("a header of more than 64 KiB", () => {
  it.each([
    ["csv", csv({ columns }), table(",")],
    ["csv by lines", csv({ columns, multiline: false }), table(",")],
    ["tsv", tsv({ columns }), table("\t")],
    ["behind a byte order mark", csv({ columns }), table(",", "\ufeff")],
    ["behind empty lines", csv({ columns }), table(",", "\n\r\n".repeat(30_000))],
    ["with quoted names", csv({ columns }), table(",").replace("c5,", `"c5\n${"x".repeat(70_000)}",`)],
  ])("gives the same rows whatever the splits: %s", async (_name, format, content) => {
    const whole = await read(format as never, { a: content }, 64 * MiB);
    expect(whole.records).toEqual(expected);
    expect(whole.planned[0]).not.toHaveProperty("headerEnd"); // it is not cut
    for (const splitBytes of [40_000, 50_000, 100_000]) {
      const cut = await read(format as never, { a: content }, splitBytes);
      expect(cut.splits.length).toBeGreaterThan(1);
      expect(cut.planned[0]!.headerEnd).toBe(
        content.slice(0, content.indexOf("\n", content.indexOf("c19999"))).length +
          1 +
          (content.startsWith("\ufeff") ? 2 : 0),
      );
      expect(cut.records).toEqual(expected);
    }
  });

  it("is that of each file", async () => {
    const other = table(",").replace("c0,", "first,").replace(",c19999", ",c0,c19999");
    const rows = other.split("\n").map((line, i) => (i === 0 || line === "" ? line : `${line},7`));
    const { records } = await read(
      csv({ columns: { c19999: utf8 } }) as never,
      { a: table(","), b: rows.join("\n"), c: gzipSync(table(",")) },
      50_000,
    );
    const values = expected.map(({ c19999 }) => ({ c19999 }));
    expect(records).toEqual([...values, ...values.map(() => ({ c19999: "7" })), ...values]);
  });

  it("of a file that is gone on with behind a bad record is found again, in gzip too", async () => {
    const format = csv({ columns }) as InputFormat<unknown>;
    for (const compression of ["none", "gzip"] as const) {
      const content = Buffer.from(`${table(",")}short\n${row(3, ",")}\n`);
      const storage = memoryInputs({ a: compression === "gzip" ? gzipSync(content) : content }, 50_000);
      const [info] = await storage.list("a");
      const files = { 0: { ...info!, source: "a", input: 0, compression } };
      const options = {
        split: [{ file: 0, start: 0, end: info!.bytes }],
        files,
        formatOf: () => format,
        storage,
        decompress,
        signal,
      };
      const reading = async (from?: { readonly file: number; readonly offset: number }) => {
        const records: unknown[] = [];
        for await (const { batch } of readSplit({ ...options, from })) records.push(...batch.records);
        return records;
      };
      const bad = (await reading().catch((error: unknown) => error)) as BadRecordIn;
      expect(bad).toBeInstanceOf(BadRecordIn);
      expect(await reading({ file: 0, offset: bad.end! })).toEqual([expected[3]]);
    }
  });

  it("has an end within 16 MiB, cut or not", async () => {
    const long = `${"x".repeat(17 * MiB)},c0\n1,2\n3,4\n`;
    for (const splitBytes of [64 * MiB, 8 * MiB]) {
      await expect(read(csv({ columns: { c0: utf8 } }) as never, { a: long }, splitBytes)).rejects.toMatchObject({
        source: "a",
        end: undefined,
        message: expect.stringMatching(/the header/),
      });
    }
  });
});
