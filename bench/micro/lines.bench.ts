// Reading lines, the hot path of every text format: nanoseconds per line and per byte by alphabet, and beside Node's
// readline. Real text (examples/data/books), or the same lines with other letters; 16 MB each, in chunks of 1 MiB as
// storage gives them. Run: node bench/micro/run.mjs lines
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { Bench } from "tinybench";
import type { InputFormat } from "../../src/format/format.ts";
import { ndjson } from "../../src/format/json/ndjson.ts";
import { lines } from "../../src/format/lines/lines.ts";
import { text } from "../../src/format/lines/text.ts";
import { csv } from "../../src/format/table/csv.ts";
import { findQuotedStarts } from "../../src/format/table/csv-starts.ts";
import { tsv } from "../../src/format/table/tsv.ts";
import { uint } from "../../src/job/codecs/numbers.ts";
import { utf8 } from "../../src/job/codecs/utf8.ts";

const contentBytes = 16 << 20;
const books = new URL("../../examples/data/books/", `file://${process.cwd()}/bench/micro/`);
const prose = readdirSync(books)
  .filter((name) => name.endsWith(".txt"))
  .map((name) => readFileSync(new URL(name, books), "utf8"))
  .join("\n")
  .replaceAll("\r", "")
  .split("\n");
const ascii = prose.map((line) => line.replace(/[^\0-\x7f]/g, "x"));

const contents = {
  "text, ASCII": repeated(ascii),
  "text, ASCII, CR LF": repeated(ascii.map((line) => `${line}\r`)),
  "text, books as they are": repeated(prose),
  "text, one ’ in 500 lines": repeated(ascii.map((line, i) => (i % 500 === 0 ? curly(line) : line))),
  "text, one ’ in every line": repeated(ascii.map(curly)),
  "text, Cyrillic": repeated(
    ascii.map((line) => line.replace(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0x3cf))),
  ),
};
const rows = Array.from({ length: 50_000 }, (_, i) => [
  String(i),
  `name ${i}`,
  `https://example.org/${i % 997}`,
  String((i * 7919) % 10_007),
]);
const plainRows = repeated(rows.map((row) => row.join(",")));
const quotedRows = repeated(rows.map((row) => row.map((cell) => `"${cell}"`).join(",")));
const tsvRows = repeated(rows.map((row) => row.join("\t")));
const objects = repeated(
  rows.map(([id, name, url, bytes], i) =>
    JSON.stringify({
      ts: 1_700_000_000 + i,
      ip: `10.0.${i % 256}.7`,
      method: "GET",
      id,
      url,
      name,
      status: 200,
      bytes: Number(bytes),
      agent: "Mozilla/5.0 (X11; Linux x86_64)",
    }),
  ),
);

const bench = new Bench({ time: 500, warmupTime: 100 });
const measured = new Map<string, { readonly lines: number; readonly bytes: number }>();
for (const [name, content] of Object.entries(contents)) add(name, content, text());
add("lines", contents["text, ASCII"], lines());
add("tsv", tsvRows, tsv());
add("csv", plainRows, csv());
add("csv, all cells in quotes", quotedRows, csv());
add("ndjson", objects, ndjson());
add("ndjson, two fields", objects, ndjson({ fields: { url: utf8, bytes: uint } }));
measure(
  "csv: record starts, no quotes",
  plainRows,
  async () => void (await findQuotedStarts(chunksOf(plainRows), [plainRows.length - 5], plainRows.length)),
);
measure(
  "csv: record starts, quotes",
  quotedRows,
  async () => void (await findQuotedStarts(chunksOf(quotedRows), [quotedRows.length - 5], quotedRows.length)),
);
measure("readline of Node", contents["text, ASCII"], async () => {
  let length = 0;
  for await (const line of createInterface({ input: Readable.from(chunksOf(contents["text, ASCII"])) }))
    length += line.length;
  return length;
});
await bench.run();
console.table(
  bench.tasks.map(({ name, result }) => {
    const { lines: count, bytes } = measured.get(name)!;
    const ns = "latency" in result ? result.latency.min * 1e6 : Number.NaN;
    return {
      name,
      "ns/line": (ns / count).toFixed(0),
      "ns/byte": (ns / bytes).toFixed(2),
      "MB/s": ((bytes / ns) * 1e3).toFixed(0),
    };
  }),
);

function add(name: string, content: Buffer, format: InputFormat<unknown>): void {
  measure(name, content, async () => {
    let records = 0;
    const from = { start: 0, end: content.length, head: content.subarray(0, 65536) };
    for await (const batch of format.read(chunksOf(content), from)) records += batch.records.length;
    return records;
  });
}

function measure(name: string, content: Buffer, run: () => Promise<unknown>): void {
  measured.set(name, { lines: content.toString("latin1").split("\n").length - 1, bytes: content.length });
  bench.add(name, async () => void (await run()));
}

function repeated(block: readonly string[]): Buffer {
  const once = Buffer.from(`${block.join("\n")}\n`);
  return Buffer.concat(Array.from({ length: Math.ceil(contentBytes / once.length) }, () => once));
}

function curly(line: string): string {
  return line.length > 10 ? `${line.slice(0, 5)}’${line.slice(6)}` : line;
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
}
