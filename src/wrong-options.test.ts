// A right option with a wrong value is refused at once: the message has its name, what was given and what is expected.
import { expect, it } from "vitest";
import * as millrace from "./index.ts";
import { runInline } from "./testing.ts";

const { csv, ndjson, text, tsv, utf8, uint } = millrace;
const schema = { "~standard": { version: 1 as const, vendor: "own", validate: (value: unknown) => ({ value }) } };
const job = millrace.defineJob({ name: "count", input: text(), map: (line, emit) => emit(line, 1) });
const join = { name: "both", left: { a: csv() }, right: { b: csv() }, key: utf8, on: { a: 0, b: 0 } };
const parts = { name: "count", input: text(), map: () => {} };

const cases: readonly (readonly [call: (options: never) => unknown, options: unknown, message: RegExp])[] = [
  [csv, { header: "no" }, /csv\(\{ header \}\) takes true or false, not "no"/],
  [csv, { header: null }, /csv\(\{ header \}\) takes true or false, not null/],
  [csv, { multiline: 1 }, /csv\(\{ multiline \}\) takes true or false, not 1/],
  [csv, { columns: "id" }, /csv\(\{ columns \}\) takes an object of codecs by name.*, not "id"/],
  [csv, { columns: [utf8] }, /csv\(\{ columns \}\) takes an object of codecs by name.*, not \[/],
  [csv, { columns: { id: "utf8" } }, /column "id" needs a codec/],
  [csv, { delimiter: 5 }, /csv\(\{ delimiter \}\) takes text .*, not 5/],
  [csv, { delimiter: 5n }, /csv\(\{ delimiter \}\) takes text .*, not 5n/],
  [csv, { delimiter: "" }, /csv\(\{ delimiter \}\) takes text .*, not ""/],
  [csv, { quote: "''" }, /csv\(\{ quote \}\) takes one ASCII character .*, not "''"/],
  [csv, { quote: true }, /csv\(\{ quote \}\) takes one ASCII character .*, not true/],
  [csv, { escape: 1 }, /csv\(\{ escape \}\) takes one ASCII character .*, not 1/],
  [csv, { lenient: "yes" }, /csv\(\{ lenient \}\) takes true or false, not "yes"/],
  [tsv, { header: 1 }, /tsv\(\{ header \}\) takes true or false, not 1/],
  [tsv, { columns: 7 }, /tsv\(\{ columns \}\) takes an object .*, not 7/],
  [tsv, { delimiter: Symbol("x") }, /tsv\(\{ delimiter \}\) takes one character, not Symbol\(x\)/],
  [text, { delimiter: 5n }, /text\(\{ delimiter \}\) takes a string .*, not 5n/],
  [text, { invalid: () => {} }, /text\(\{ invalid \}\) takes "fail" or "replace", not \[Function/],
  [ndjson, { integers: "all" }, /ndjson\(\{ integers \}\) takes "refuse", "round" or "bigint", not "all"/],
  [(more) => ndjson(schema, more), { integers: 5 }, /ndjson\(\{ integers \}\) takes .*, not 5/],
  [ndjson, { fields: ["a"] }, /ndjson\(\{ fields \}\) takes an object of codecs by name.*, not \[ 'a' \]/],
  [ndjson, { fields: { a: "utf8" } }, /ndjson\(\{ fields \}\) needs for "a" a codec/],
  [millrace.records, "100", /records\(\) takes the length .*, not "100"/],
  [millrace.records, 5n, /records\(\) takes the length .*, not 5n/],
  [millrace.quantile, { at: 2 }, /quantile takes a share from 0 to 1 first.*, not \{ at: 2 \}/],
  [millrace.quantile, 95, /quantile takes a share from 0 to 1 first.*, not 95/],
  [(more) => millrace.quantile(0.5, more), 7, /quantile takes the name of a field, not 7/],
  [(more) => millrace.variance("n", more), { of: "all" }, /of is "sample" or "population", not "all"/],
  [(n) => millrace.topN(n, "ms"), "3", /the n of topN is a whole number from 1 to \d+, not "3"/],
  [(more) => millrace.topN(3, "ms", more), { order: "up" }, /order is "largest" or "smallest", not "up"/],
  [(more) => millrace.topN(3, "ms", more), { keep: ["ms"] }, /keep is an object of codecs by name.*, not \[ 'ms' \]/],
  [(more) => millrace.topN(3, "ms", more), 5, /topN takes its options as an object, not 5; there are keep, order/],
  [(n) => millrace.topK(n, utf8), 0, /the n of topK is a whole number from 1 to \d+, not 0/],
  [(more) => millrace.topK(3, utf8, more), { max: "9" }, /max is a whole number .*, not "9"/],
  [(more) => millrace.collect("n", uint, more), { max: 0 }, /max is a whole number .*, not 0/],
  [(more) => millrace.collect("n", uint, more), 100, /collect takes its options as an object, not 100; there are max/],
  [(more) => millrace.countDistinct("n", uint, more), { max: 1.5 }, /max is a whole number .*, not 1.5/],
  [(more) => millrace.countDistinct.approx("n", uint, more), { max: -1 }, /max is a whole number .*, not -1/],
  [
    (more) => (millrace.first as (...all: unknown[]) => unknown)("n", utf8, more),
    5,
    /first takes its options .*, not 5/,
  ],
  [(reducers) => millrace.defineJob({ ...parts, reducers } as never), "2", /reducers is .*, not "2"/],
  [(name) => millrace.defineJob({ ...parts, name } as never), 5, /name.*, not 5/],
  [(how) => millrace.defineJoin({ ...join, how } as never), "outher", /how .*, not "outher"/],
  [(reducers) => runInline(job, ["a"], { reducers } as never), "2", /reducers.*, not "2"/],
  [(source) => runInline(job, ["a"], { source } as never), 5, /source.*, not 5/],
  ...Object.entries({
    slots: ["2", /slots is a whole number from 1 to \d+, not "2"/],
    memory: [5, /memory is a size as text, like "2GB", not 5/],
    splitSize: ["x", /splitSize takes a size such as 512MB or 2GB, not "x"/],
    taskTimeout: [5, /taskTimeout is a time as text, like "10m", not 5/],
    skipBad: [-1, /skipBad is a whole number from 0, not -1/],
    overwrite: ["yes", /overwrite is true or false, not "yes"/],
    output: [5, /output is a path, not 5/],
    signal: [{}, /signal is an AbortSignal, not \{\}/],
    onProgress: ["log", /onProgress is a function, not "log"/],
    env: ["A=1", /env is an object of texts by name, not "A=1"/],
  } as const).map(([name, [value, message]]) => {
    const call = (given: never) => millrace.run(job, { inputs: "in", [name]: given } as never);
    return [call, value, message] as const;
  }),
];

it.each(cases)("%s of %o is refused with %s", async (call, options, message) => {
  const thrown: unknown = await new Promise((resolve) => resolve(call(options as never))).catch((error) => error);
  expect(thrown).toMatchObject({ name: "MillraceError", code: expect.stringMatching(/^wrong-(?:job|usage)$/) });
  expect((thrown as Error).message).toMatch(message);
});
