import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { wholeFiles } from "../../format/binary/whole-files.ts";
import { decompress } from "../../format/compression/compress.ts";
import type { InputFormat } from "../../format/format.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import type { PlannedFile } from "../../input/plan.ts";
import { utf8 } from "../../job/api.ts";
import { takeSample } from "./sample.ts";
import { createSimStorage } from "./storage.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

/** `files`: of each input. */
async function sampled(formats: readonly InputFormat<unknown>[], inputs: readonly Files[], bytesMax: number) {
  const contents = new Map<string, Uint8Array>();
  const files: PlannedFile[] = [];
  for (const [input, given] of inputs.entries()) {
    for (const [path, content] of Object.entries(given)) {
      const bytes = Buffer.from(content);
      contents.set(path, bytes);
      const compression = bytes[0] === 0x1f ? "gzip" : "none";
      files.push({ path, bytes: bytes.length, version: "1", hosts: [], source: path, input, compression });
    }
  }
  const sample = await takeSample({
    files,
    formatOf: (input) => formats[input]!,
    storage: createSimStorage(contents),
    decompress,
    bytesMax,
    signal: new AbortController().signal,
  });
  return { ...sample, texts: Object.fromEntries([...sample.contents].map(([path, bytes]) => [path, `${bytes}`])) };
}

const tenLines = "aaaaaaaaa\n".repeat(10);

test("what is small is taken whole", async () => {
  const sample = await sampled([text()], [{ a: tenLines, b: "no end of line" }], 1000);
  expect(sample.texts).toEqual({ a: tenLines, b: "no end of line" });
  expect(sample).toMatchObject({ isWhole: true, bytes: 114 });
});

test("a file is cut where a record ends, behind what is allowed", async () => {
  const { texts, isWhole } = await sampled([text()], [{ a: tenLines }], 35);
  expect(texts).toEqual({ a: "aaaaaaaaa\n".repeat(4) });
  expect(isWhole).toBe(false);
});

test("each file gives its beginning, and files behind what is allowed are left out", async () => {
  const large = `${"x".repeat(99)}\n`.repeat(100);
  const { texts, files } = await sampled([text()], [{ a: large, b: large, c: large }], 8192);
  expect(Object.keys(texts)).toEqual(["a", "b"]);
  expect(texts["a"]!.length).toBe(4100);
  expect(files.map(({ path }) => path)).toEqual(["a", "b"]);
});

test("each input gets its part", async () => {
  const large = '{"n":1}\n'.repeat(1000);
  const { texts } = await sampled([ndjson(), ndjson()], [{ a: large }, { b: large }], 1600);
  expect([texts["a"]!.length, texts["b"]!.length]).toEqual([800, 800]);
});

test("a compressed file is cut in its content, which it is then", async () => {
  const { texts, isWhole } = await sampled([text()], [{ a: gzipSync(tenLines) }], 35);
  expect(texts).toEqual({ a: "aaaaaaaaa\n".repeat(4) });
  expect(isWhole).toBe(false);
  expect((await sampled([text()], [{ a: gzipSync(tenLines) }], 1000)).isWhole).toBe(true);
});

test("a quoted line break of csv does not end a record, and its header stays", async () => {
  const rows = `name,note\n${'ann,"one\ntwo"\n'.repeat(20)}`;
  const { texts } = await sampled(
    [csv({ header: true, multiline: true, columns: { name: utf8, note: utf8 } })],
    [{ a: rows }],
    30,
  );
  expect(texts["a"]).toBe(`name,note\n${'ann,"one\ntwo"\n'.repeat(2)}`);
  const { texts: empty } = await sampled(
    [csv({ header: true, columns: { name: utf8, note: utf8 } })],
    [{ a: "name,note\n" }],
    3,
  );
  expect(empty["a"]).toContain("nam");
});

test("a file that is one record is taken whole", async () => {
  const { texts, files } = await sampled([wholeFiles()], [{ a: tenLines, b: tenLines, c: tenLines }], 30);
  expect(texts["a"]).toBe(tenLines);
  expect(files.length).toBeLessThan(3);
});

test("a record that the format refuses is part of the sample", async () => {
  const { texts } = await sampled([ndjson()], [{ a: '{"n":1}\nnot json\n{"n":2}\n{"n":3}\n' }], 18);
  expect(texts["a"]).toBe('{"n":1}\nnot json\n{"n":2}\n');
});
