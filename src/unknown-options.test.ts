// Every function of the API that takes options by name refuses one that it does not know, and says which is meant.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as millrace from "./index.ts";
import { runInline } from "./testing.ts";

const { csv, ndjson, text, tsv, utf8, uint } = millrace;
const schema = { "~standard": { version: 1 as const, vendor: "own", validate: (value: unknown) => ({ value }) } };
const job = millrace.defineJob({ name: "count", input: text(), map: (line, emit) => emit(line, 1) });
const join = { name: "both", left: { a: csv() }, right: { b: csv() }, key: utf8, on: { a: 0, b: 0 }, how: "inner" };

/** Each is called with one option more, which is misspelt; `as` is the heading of docs/api.md where it is another. */
interface Case {
  readonly name: string;
  readonly as?: string;
  readonly call: (options: never) => unknown;
  readonly options?: object;
  readonly wrong: string;
  readonly meant: string;
  readonly code?: string;
}

const cases: readonly Case[] = [
  { name: "text", call: text, wrong: "delimeter", meant: "delimiter" },
  { name: "text", call: text, options: { delimiter: ";" }, wrong: "invlaid", meant: "invalid" },
  { name: "csv", call: csv, wrong: "delimeter", meant: "delimiter" },
  { name: "csv", call: csv, wrong: "headr", meant: "header" },
  { name: "csv", call: csv, options: { columns: { a: utf8 } }, wrong: "Header", meant: "header" },
  { name: "csv", call: csv, options: { header: true }, wrong: "colums", meant: "columns" },
  { name: "csv", call: csv, wrong: "multilines", meant: "multiline" },
  { name: "csv", call: csv, wrong: "qoute", meant: "quote" },
  { name: "csv", call: csv, wrong: "escpae", meant: "escape" },
  { name: "csv", call: csv, wrong: "leniant", meant: "lenient" },
  { name: "tsv", call: tsv, wrong: "headers", meant: "header" },
  { name: "ndjson", call: ndjson, wrong: "field", meant: "fields" },
  { name: "ndjson", call: ndjson, wrong: "integer", meant: "integers" },
  { name: "ndjson", call: ndjson, options: { fields: { a: utf8 } }, wrong: "integer", meant: "integers" },
  { name: "ndjson", call: (more) => ndjson(schema, more), wrong: "integer", meant: "integers" },
  { name: "variance", call: (more) => millrace.variance("n", more), wrong: "off", meant: "of" },
  {
    name: "topN",
    call: (more) => millrace.topN(1, "n", more),
    options: { keep: { n: uint } },
    wrong: "ordr",
    meant: "order",
  },
  { name: "topN", call: (more) => millrace.topN(1, "n", more), wrong: "keeps", meant: "keep" },
  { name: "topK", call: (more) => millrace.topK(1, "n", utf8, more), wrong: "mx", meant: "max" },
  { name: "topK", call: (more) => millrace.topK(1, utf8, more), wrong: "mx", meant: "max" },
  { name: "collect", call: (more) => millrace.collect("n", utf8, more), wrong: "mx", meant: "max" },
  { name: "collect", call: (more) => millrace.collect(utf8, more), wrong: "mx", meant: "max" },
  {
    name: "countDistinct",
    as: "type Distinct",
    call: (more) => millrace.countDistinct("n", utf8, more),
    wrong: "mx",
    meant: "max",
  },
  {
    name: "countDistinct.approx",
    as: "type Distinct",
    call: (more) => millrace.countDistinct.approx("n", utf8, more),
    wrong: "mx",
    meant: "max",
  },
  {
    name: "defineAggregate",
    call: millrace.defineAggregate,
    options: { state: uint, lift: (n: number) => n, merge: (n: number) => n },
    wrong: "finnish",
    meant: "finish",
  },
  {
    name: "defineJob",
    call: millrace.defineJob,
    options: { name: "count", input: text(), map: () => {} },
    wrong: "combiner",
    meant: "combine",
  },
  { name: "defineJoin", call: millrace.defineJoin, options: join, wrong: "mapp", meant: "map" },
  { name: "run", call: (more) => millrace.run(job, more), wrong: "outptu", meant: "output", code: "wrong-usage" },
  {
    name: "runInline",
    call: (more) => runInline(job, ["a"], more),
    wrong: "reducer",
    meant: "reducers",
    code: "wrong-usage",
  },
];

it.each(cases)("$name refuses the option $wrong and names $meant", async ({ call, options, wrong, meant, code }) => {
  const given = { ...options, [wrong]: undefined };
  const thrown: unknown = await new Promise((resolve) => resolve(call(given as never))).catch((error) => error);
  expect(thrown).toMatchObject({ name: "MillraceError", code: code ?? "wrong-job" });
  expect((thrown as Error).message).toContain(`${JSON.stringify(wrong)} (did you mean ${JSON.stringify(meant)}?)`);
});

it("lists the options where none is near, and takes names of Object.prototype for what they are", () => {
  const given = { constructor: 1 } as object;
  expect(() => text(given)).toThrow(/text\(\) has no option "constructor"; there are delimiter, invalid$/);
  expect(() => csv(JSON.parse('{"__proto__": 1}'))).toThrow(/csv\(\) has no option "__proto__"; there are header, /);
});

it("refuses options where a function has none, and options that are no object", () => {
  const first = millrace.first as (...given: readonly unknown[]) => unknown;
  expect(() => first("n", utf8, { max: 1 })).toThrow(/first has no option "max"; it takes none/);
  const max = millrace.max as (...given: readonly unknown[]) => unknown;
  expect(() => max("n", utf8, { max: 1 })).toThrow(/max has no option "max"; it takes none/);
  expect(() => csv(";" as never)).toThrow(/csv\(\) takes its options as an object, not ";"/);
  expect(() => text(null as never)).toThrow(/text\(\) takes its options as an object, not null/);
  expect(() => ndjson(5 as never)).toThrow(/ndjson\(\) takes its options as an object, not 5/);
  const read = ndjson as (...given: readonly unknown[]) => unknown;
  expect(() => read({ fields: { a: utf8 } }, { integers: "bigint" })).toThrow(/ndjson\(\) takes nothing, a Standard/);
});

it("still takes every option that there is", () => {
  const table = { header: true, columns: { a: utf8 }, delimiter: ";", multiline: true };
  expect(() => csv({ ...table, quote: "'", escape: "\\", lenient: true })).not.toThrow();
  expect(() => tsv(table)).not.toThrow();
  expect(() => text({ delimiter: ";", invalid: "replace" })).not.toThrow();
  expect(() => ndjson(schema, { integers: "bigint" })).not.toThrow();
  expect(() => ndjson({ integers: "round" })).not.toThrow();
  expect(() => millrace.topN(1, "n", { keep: { n: uint }, order: "smallest" })).not.toThrow();
  expect(() => millrace.variance("n", { of: "population" })).not.toThrow();
  expect(() => millrace.collect("n", utf8, { max: 1 })).not.toThrow();
});

it("has a case for everything in docs/api.md that takes options", () => {
  const page = readFileSync(new URL("../docs/api.md", import.meta.url), "utf8");
  const takers = page
    .split(/^### /m)
    .slice(1)
    .filter((section) => /\boptions\b\??(?::|\]:)|\(?\b\w+\??: \w+Options?\b/.test(signatures(section)))
    .map((section) => section.slice(0, section.indexOf("\n")));
  expect(takers.length).toBeGreaterThan(10);
  expect([...new Set(takers)].sort()).toEqual([...new Set(cases.map(({ name, as }) => as ?? name))].sort());
});

/** What TypeScript says a thing is: fenced code that declares it, and its members. */
function signatures(section: string): string {
  const fenced = [...section.matchAll(/^```typescript\n(?:function|const|type|interface)[\s\S]*?^```/gm)];
  const members = [...section.matchAll(/^ *- `([^`]*)`/gm)];
  return [...fenced, ...members].map(([text]) => text).join("\n");
}
