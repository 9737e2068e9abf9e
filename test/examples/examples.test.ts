// Every example, run as its first lines say, with a result that was computed some other way.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { millrace, publishedText, repository, scratchFolder } from "../support/cli.ts";

const data = join(repository, "examples/data");
const books = readdirSync(join(data, "books")).map((name) => join(data, "books", name));
let scratch: ReturnType<typeof scratchFolder>;
beforeAll(() => {
  scratch = scratchFolder();
});
afterAll(() => scratch.remove());

async function runExample(name: string, words: readonly string[]): Promise<string> {
  const output = join(scratch.path, basename(name));
  const result = await millrace(["run", `examples/${name}.ts`, ...words, "-o", output, "--quiet"]);
  expect(result.stderr).toBe("");
  expect(result.code).toBe(0);
  return output;
}

const rows = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
const objects = <T>(text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
const lines = (file: string) => readFileSync(file, "utf8").split("\n").slice(0, -1);
const byCodePoint = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe("examples", () => {
  it("word-count counts the words of the books", async () => {
    const output = await runExample("word-count", ["examples/data/books/*.txt"]);
    const expected = new Map<string, number>();
    for (const book of books)
      for (const word of readFileSync(book, "utf8").match(/\p{L}+/gu) ?? [])
        expected.set(word, (expected.get(word) ?? 0) + 1);
    expect(rows(publishedText(output))).toEqual(
      [...expected].sort(([a], [b]) => byCodePoint(a, b)).map(([word, n]) => [word, String(n)]),
    );
  });

  it("grep finds lines with their file and offset", async () => {
    const output = await runExample("grep", ["examples/data/books", "--param", "pattern=\\bwhale"]);
    const found = publishedText(output).trimEnd().split("\n");
    const expected = books.flatMap((book) => lines(book).filter((line) => /\bwhale/u.test(line)));
    expect(found).toHaveLength(expected.length);
    expect(found.length).toBeGreaterThan(0);
    for (const line of found) {
      const [, file, offset, text] = /^(.*?):(\d+): (.*)$/u.exec(line)!;
      const bytes = Buffer.from(text!);
      expect(readFileSync(join(repository, file!)).subarray(Number(offset), Number(offset) + bytes.length)).toEqual(
        bytes,
      );
    }
  });

  it("inverted-index lists the files of each word", async () => {
    const output = await runExample("inverted-index", ["examples/data/books/*.txt"]);
    const found = new Map(
      objects<{ word: string; files: Record<string, number> }>(publishedText(output)).map(({ word, files }) => [
        word,
        files,
      ]),
    );
    const expected = new Map<string, Record<string, number>>();
    for (const book of books) {
      for (const word of readFileSync(book, "utf8").match(/\p{L}+/gu) ?? []) {
        const files = expected.get(word) ?? {};
        files[basename(book)] = (files[basename(book)] ?? 0) + 1;
        expected.set(word, files);
      }
    }
    expect(found.size).toBe(expected.size);
    for (const [word, files] of expected) expect(found.get(word)).toEqual(files);
  });

  it("url-counts sums hits and bytes, and puts the line aside that is none", async () => {
    const output = await runExample("url-counts", ["examples/data/access.log", "--skip-bad", "10"]);
    const expected = new Map<string, [number, number]>();
    for (const line of lines(join(data, "access.log"))) {
      const [, url, , bytes] = /"\S+ (\S+)[^"]*" (\d{3}) (\d+|-)/.exec(line) ?? [];
      if (url === undefined) continue;
      const [hits, total] = expected.get(url) ?? [0, 0];
      expected.set(url, [hits + 1, total + (bytes === "-" ? 0 : Number(bytes))]);
    }
    expect(rows(publishedText(output))).toEqual(
      [...expected]
        .sort(([a], [b]) => byCodePoint(a, b))
        .map(([url, [hits, bytes]]) => [url, String(hits), String(bytes)]),
    );
    const letters = objects<{ source: string; offset: number; error: string }>(
      publishedText(join(output, "_dead-letters")),
    );
    expect(letters).toHaveLength(1);
    expect(letters[0]!.error).toContain("not a line of the combined log format");
  });

  it("reverse-links turns links around", async () => {
    const output = await runExample("reverse-links", ["examples/data/pages.ndjson"]);
    expect(objects(publishedText(output))).toEqual([
      { target: "http://a.example/", sources: ["http://a.example/wheel", "http://b.example/"] },
      { target: "http://a.example/wheel", sources: ["http://a.example/", "http://b.example/bread"] },
      { target: "http://b.example/", sources: ["http://a.example/", "http://b.example/bread"] },
      { target: "http://b.example/bread", sources: ["http://a.example/wheel"] },
    ]);
  });

  it("term-vector finds what each host writes about", async () => {
    const output = await runExample("term-vector", ["examples/data/pages.ndjson", "--param", "top=2"]);
    expect(objects(publishedText(output))).toEqual([
      {
        host: "a.example",
        terms: [
          ["wheel", 3],
          ["mill", 2],
        ],
      },
      {
        host: "b.example",
        terms: [
          ["bread", 4],
          ["flour", 2],
        ],
      },
    ]);
  });

  it("total-sort puts all lines in order over several part files", async () => {
    const output = await runExample("total-sort", ["examples/data/books/*.txt", "--reducers", "4"]);
    const all = books.flatMap((book) => readFileSync(book, "latin1").split("\n").slice(0, -1));
    const sorted = Buffer.from(
      readdirSync(output)
        .filter((name) => name.startsWith("part-"))
        .sort()
        .map((name) => readFileSync(join(output, name), "latin1"))
        .join(""),
      "latin1",
    );
    expect(sorted.toString("latin1")).toBe(
      all
        .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        .map((line) => `${line}\n`)
        .join(""),
    );
    expect(readdirSync(output).filter((name) => name.startsWith("part-"))).toHaveLength(4);
  });

  it("spent has a row for each user, with what the orders add up to", async () => {
    const output = await runExample("spent", [
      "--input",
      "users=examples/data/users.csv",
      "--input",
      "orders=examples/data/orders.ndjson",
    ]);
    const orders = lines(join(data, "orders.ndjson")).map(
      (line) => JSON.parse(line) as { user: string; cents: number },
    );
    const written = publishedText(output)
      .match(/^u\d+,.*,\d+,-?\d+$/gm)!
      .map((line) => line.match(/^(u\d+),.*,(\d+),(-?\d+)$/)!.slice(1));
    const ids = lines(join(data, "users.csv")).flatMap((line) => /^u\d+(?=,)/.exec(line)?.[0] ?? []);
    expect(written).toEqual(
      ids.sort().map((id) => {
        const own = orders.filter(({ user }) => user === id);
        return [id, String(own.length), String(own.reduce((sum, { cents }) => sum + cents, 0))];
      }),
    );
    expect(written.some(([, count]) => count === "0")).toBe(true);
    expect(written.some(([, count]) => Number(count) > 1)).toBe(true);
  });

  it("join adds each user's orders up, and puts orders of nobody aside", async () => {
    const output = await runExample("join", [
      "--input",
      "users=examples/data/users.csv",
      "--input",
      "orders=examples/data/orders.ndjson",
    ]);
    expect(publishedText(join(output, "main"))).toBe(
      'id,name,cents\nu1,Grace Hopper,9010\nu2,Ada Lovelace,3490\nu3,"Dijkstra, Edsger",12850\nu4,"Kurt ""Gödel""",0\n',
    );
    expect(publishedText(join(output, "unknown"))).toBe("u9\n");
  });

  it("top-k keeps the largest orders of each user, largest first", async () => {
    const output = await runExample("top-k", ["examples/data/orders.ndjson", "--param", "k=2"]);
    expect(rows(publishedText(output))).toEqual([
      ["u1", "o6", "7300"],
      ["u1", "o1", "1250"],
      ["u2", "o8", "2500"],
      ["u2", "o2", "990"],
      ["u3", "o4", "12000"],
      ["u3", "o7", "850"],
      ["u9", "o5", "100"],
    ]);
  });

  it("enrich looks each order up, in input order", async () => {
    const output = await runExample("enrich", [
      "examples/data/orders.ndjson",
      "--file",
      "rates=examples/data/rates.json",
    ]);
    expect(
      objects<{ id: string; euroCents: number }>(publishedText(output)).map(({ id, euroCents }) => [id, euroCents]),
    ).toEqual([
      ["o1", 1250],
      ["o2", 1158],
      ["o3", 368],
      ["o4", 12000],
      ["o5", 100],
      ["o6", 7300],
      ["o7", 782],
      ["o8", 2925],
      ["o9", 55],
    ]);
  });

  it("purchases sums per customer, whatever the spelling", async () => {
    const output = await runExample("purchases", ["examples/data/purchases.csv"]);
    expect(rows(publishedText(output))).toEqual([
      ["Alice Smith", "42"],
      ["Bob Jones", "52"],
      ["Élodie O'Neil", "8"],
    ]);
  });

  it("are at most 40 lines each", () => {
    const files = readdirSync(join(repository, "examples"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    expect(files.length).toBeGreaterThanOrEqual(12);
    for (const file of files) expect(lines(join(repository, "examples", file)).length, file).toBeLessThanOrEqual(40);
  });
});
