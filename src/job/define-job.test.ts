import { describe, expect, it } from "vitest";
import { version } from "../base/version.ts";
import { wholeFiles } from "../format/binary/whole-files.ts";
import { ndjson } from "../format/json/ndjson.ts";
import { text } from "../format/lines/text.ts";
import { csv } from "../format/table/csv.ts";
import { tsv } from "../format/table/tsv.ts";
import { auto, autoValue } from "./codecs/auto.ts";
import { desc } from "./codecs/desc.ts";
import { json } from "./codecs/json.ts";
import { nullable } from "./codecs/nullable.ts";
import { float64, uint } from "./codecs/numbers.ts";
import { tuple } from "./codecs/tuple.ts";
import { utf8 } from "./codecs/utf8.ts";
import { max, min, sum } from "./combine.ts";
import { defineJob, jobDefinition } from "./define-job.ts";
import { describeJob } from "./load/describe.ts";
import { byHash, byRange, prefix } from "./partition.ts";

const map = (line: string, emit: (key: string, value: number) => void) => emit(line, 1);
const base = { name: "word-count", input: text(), map };
/** Past the compiler, as JavaScript may. */
const define = (options: unknown) => jobDefinition(defineJob(options as Parameters<typeof defineJob>[0]));

describe("defineJob", () => {
  it("fills in what is left out", () => {
    const definition = define(base);
    expect(definition).toMatchObject({
      name: "word-count",
      inputs: [{ name: "", format: base.input, map }],
      outputs: [{ name: "main", format: { extension: "tsv" } }],
      outputsNamed: false,
      concurrency: 16,
      partition: { kind: "hash" },
      nondeterministic: "rerun",
    });
    expect(definition.key).toBe(auto);
    expect(definition.value).toBe(autoValue);
    const { reducers, combine, group, reduce, compress, setup, teardown } = definition;
    expect([reducers, combine, group, reduce, compress, setup, teardown]).toEqual(Array(7).fill(undefined));
  });

  it("keeps what is given", () => {
    const options = {
      ...base,
      input: { users: csv({ header: true }), orders: ndjson() },
      map: { orders() {}, users() {} },
      output: { rejects: text(), main: ndjson() },
      key: tuple(utf8, desc(utf8), uint),
      value: json(),
      params: { limit: { type: "number", default: 3, about: "how many" } },
      files: { stop: "stop.txt" },
      setup() {},
      teardown() {},
      reduce() {},
      combine: sum,
      concurrency: 4,
      group: prefix(2),
      partition: byRange(),
      reducers: 8,
      compress: "zstd",
      nondeterministic: "fail",
    };
    const definition = define(options);
    expect(definition.inputs.map(({ name, map }) => [name, map])).toEqual([
      ["users", options.map.users],
      ["orders", options.map.orders],
    ]);
    expect(definition.outputs.map(({ name }) => name)).toEqual(["main", "rejects"]);
    expect(definition.combine).toEqual({ kind: "sum", call: sum });
    expect(definition.group).toMatchObject({ parts: 2, shapes: ["ascending", "descending"] });
    expect(definition.group?.key.ordered).toBe(true);
    expect(definition.files).toEqual(new Map([["stop", "stop.txt"]]));
    expect(definition.value).toBe(options.value);
    expect(JSON.parse(JSON.stringify(describeJob(definition)))).toMatchObject({
      name: "word-count",
      inputs: [{ name: "users" }, { name: "orders" }],
      outputs: [
        { name: "main", extension: "ndjson" },
        { name: "rejects", extension: "txt" },
      ],
      outputsNamed: true,
      params: { kind: "table", params: [{ name: "limit", type: "number", default: 3, about: "how many" }] },
      files: [{ name: "stop", path: "stop.txt" }],
      reducers: 8,
      mapOnly: false,
      compress: "zstd",
      nondeterministic: "fail",
      partition: "range",
      group: 2,
      combine: "sum",
      hasReduce: true,
    });
  });

  it("recognises sum, min and max by identity only", () => {
    const own = (a: number, b: number) => a + b;
    expect([sum, min, max, own].map((combine) => define({ ...base, combine }).combine?.kind)).toEqual([
      "sum",
      "min",
      "max",
      "function",
    ]);
  });

  it("lets auto stand for itself, and takes objects where it encodes values", () => {
    expect(define({ ...base, key: auto, value: auto })).toMatchObject({ key: auto, value: autoValue });
  });

  it("takes undefined for a property that is left out", () => {
    expect(define({ ...base, key: undefined, reducers: 0, reduce: undefined, output: text() }).reducers).toBe(0);
  });

  it("notes the file that called it", () => {
    expect(define(base).module).toMatch(/define-job\.test\.ts/);
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      expect(define(base).module).toMatch(/define-job\.test\.ts/);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  });

  it("shows nothing of the definition on the job, which can't be changed", () => {
    const job = defineJob(base);
    expect(Object.keys(job)).toEqual(["name"]);
    expect(Object.isFrozen(job)).toBe(true);
    expect(JSON.stringify(job)).toBe('{"name":"word-count"}');
  });

  it("tells a job from what only looks like one", () => {
    expect(() => jobDefinition(base)).toThrow(/not a job made by defineJob, but what defineJob takes/);
    expect(() => jobDefinition(undefined, "the default export")).toThrow(/the default export is not a job/);
    expect(() => jobDefinition(() => 1)).toThrow(/not a job/);
    const ofOtherCopy = { name: "x", [Symbol.for("millrace.job")]: "9.9.9" };
    expect(() => jobDefinition(ofOtherCopy)).toThrow(
      `another copy of millrace (version 9.9.9) than the one that runs it (version ${version})`,
    );
  });
});

describe("defineJob refuses", () => {
  const two = { ...base, input: { users: ndjson(), orders: ndjson() }, map: { users() {}, orders() {} } };
  const pair = { ...base, key: tuple(utf8, uint) };
  it.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /defineJob takes an object/],
    ["a name with capitals", { ...base, name: "WordCount" }, /lower-case words joined by hyphens.*"WordCount"/],
    ["no name", { ...base, name: undefined }, /a job's name is/],
    ["a name that is a path", { ...base, name: "../x" }, /a job's name is/],
    [
      "a misspelt property",
      { ...base, combiner: sum },
      /job "word-count": there is no property "combiner" \(did you mean "combine"\?\)/,
    ],
    ["an unknown property", { ...base, wibble: 1 }, /there is no property "wibble"$/],
    ["no input", { ...base, input: undefined }, /input is missing.*text\(\)/],
    [
      "an input that was not called",
      { ...base, input: text },
      /input is the function text itself: call it, as in text\(\)/,
    ],
    [
      "one of several inputs not called",
      { ...two, input: { users: ndjson, orders: ndjson() } },
      /input users is the function ndjson itself/,
    ],
    ["no inputs", { ...two, input: {}, map: {} }, /input is a format/],
    [
      "an input that is none",
      { ...two, input: { users: 1, orders: ndjson() } },
      /input users is not a format that can be read: 1/,
    ],
    [
      "an input's name with a slash",
      { ...two, input: { "a/b": ndjson() }, map: { "a/b"() {} } },
      /the name of an input begins with a letter/,
    ],
    [
      "fault 81: an input's name that objects treat specially",
      { ...two, input: JSON.parse('{"__proto__":{}}'), map: {} },
      /the name of an input/,
    ],
    ["no map", { ...base, map: undefined }, /map is missing/],
    ["a map of another type", { ...base, map: 1 }, /map is a function, not 1/],
    ["functions by name for one input", { ...base, map: { users() {} } }, /map is one function/],
    ["one function for several inputs", { ...two, map }, /map: \{ users\(record, emit\) \{…\}, orders/],
    ["an input without function", { ...two, map: { users() {} } }, /map has no function for the input "orders"/],
    [
      "a function without input",
      { ...two, map: { ...two.map, order() {} } },
      /"order", which is not an input \(did you mean "orders"\?\)/,
    ],
    [
      "fault 81: an inherited function for an input",
      { ...two, input: { toString: ndjson() }, map: {} },
      /no function for the input "toString"/,
    ],
    ["a generator as map", { ...base, *map() {} }, /map is a generator function, which would never run/],
    ["an async generator as reduce", { ...base, async *reduce() {} }, /reduce is a generator/],
    ["a key without order", { ...base, key: json() }, /key: json\(\) has no order/],
    [
      "a key of the user's without order",
      { ...base, key: { write() {}, read() {} } },
      /key: a codec of the job's own has no order/,
    ],
    [
      "a tuple with an unordered part as key",
      { ...base, key: tuple(utf8, json()) },
      /tuple\(utf8, json\(\)\) has no order/,
    ],
    ["a codec that was not called", { ...base, value: json }, /value is a function: call it/],
    ["a codec that is none", { ...base, value: "utf8" }, /value is a codec such as utf8/],
    ["group without tuple", { ...base, key: utf8, group: prefix(1) }, /wants key: tuple\(…\), and the key is utf8/],
    ["group without key", { ...base, group: prefix(1) }, /the key is auto/],
    [
      "group of a reversed tuple",
      { ...base, key: desc(tuple(utf8, uint)), group: prefix(1) },
      /the key is desc\(tuple\(utf8, uint\)\)/,
    ],
    [
      "more parts than the tuple has",
      { ...pair, group: prefix(3) },
      /group: prefix is a whole number from 1 to 2, not 3/,
    ],
    ["prefix not called", { ...pair, group: prefix }, /group is a function: call it/],
    ["group of another type", { ...pair, group: 1 }, /group is prefix\(n\), not 1/],
    ["byHash not called", { ...base, partition: byHash }, /partition is the function byHash itself: call it/],
    ["byRange not called", { ...base, partition: byRange }, /partition is the function byRange itself/],
    [
      "a partition of another type",
      { ...base, partition: "hash" },
      /partition is byHash\(\), byRange\(\) or a function/,
    ],
    ["an async partition", { ...base, partition: async () => 1 }, /partition is async/],
    ["an async combine", { ...base, combine: async () => 1 }, /combine is async/],
    ["half a reducer", { ...base, reducers: 1.5 }, /reducers is a whole number from 0 to 10000, not 1.5/],
    ["-1 reducers", { ...base, reducers: -1 }, /not -1/],
    ["too many reducers", { ...base, reducers: 10_001 }, /not 10001/],
    ["reducers as text", { ...base, reducers: "4" }, /not "4"/],
    ["no concurrency", { ...base, concurrency: 0 }, /concurrency is a whole number from 1/],
    ["an output that only reads", { ...base, output: wholeFiles() }, /can only be read/],
    ["an output not called", { ...base, output: tsv }, /output is the function tsv itself/],
    ["outputs without main", { ...base, output: { rejects: text() } }, /one of them must be named main/],
    [
      "an output that is none",
      { ...base, output: { main: tsv(), rejects: {} } },
      /output rejects is not a format that can be written/,
    ],
    ["an output's name that climbs", { ...base, output: { main: tsv(), "../up": text() } }, /the name of an output/],
    [
      "an extension that climbs",
      { ...base, output: { extension: "../x", write() {} } },
      /a format's extension is letters and digits/,
    ],
    ["an unknown compression", { ...base, compress: "bzip2" }, /compress is "gzip" or "zstd", not "bzip2"/],
    ["an unknown mode", { ...base, nondeterministic: "ignore" }, /nondeterministic is "rerun" or "fail"/],
    ["setup that is no function", { ...base, setup: {} }, /setup is a function/],
    ["side files of another type", { ...base, files: ["a"] }, /files is an object of paths/],
    ["a side file without path", { ...base, files: { stop: "" } }, /the side file stop is a path/],
    ["params of another type", { ...base, params: [] }, /params is an object of parameters/],
    [
      "an unknown type of parameter",
      { ...base, params: { n: { type: "integer" } } },
      /the parameter n must have the type "string", "number" or "boolean", not "integer"/,
    ],
    [
      "a default of another type",
      { ...base, params: { n: { type: "number", default: "3" } } },
      /the default of the parameter n is not a number: "3"/,
    ],
    [
      "NaN as default",
      { ...base, params: { n: { type: "number", default: Number.NaN } } },
      /the default of the parameter n is not a number/,
    ],
    [
      "a misspelt property of a parameter",
      { ...base, params: { n: { type: "number", defualt: 3 } } },
      /no property "defualt" \(did you mean "default"\?\)/,
    ],
    ["a parameter that is a value", { ...base, params: { n: 3 } }, /the parameter n is declared by an object/],
    ...(["key", "value", "combine", "group", "partition", "reduce"] as const).map(
      (property): [string, unknown, RegExp] => [
        `${property} in a map-only job`,
        {
          ...base,
          reducers: 0,
          [property]: { key: utf8, value: uint, combine: sum, group: prefix(1), partition: byHash(), reduce() {} }[
            property
          ],
        },
        new RegExp(`map-only.*${property} must be left out`),
      ],
    ),
  ])("%s", (_, options, message) => {
    expect(() => define(options)).toThrow(expect.objectContaining({ code: "wrong-job" }));
    expect(() => define(options)).toThrow(message);
  });

  it("prefix of no parts", () => {
    for (const parts of [0, -1, 1.5, Number.NaN, true])
      expect(() => prefix(parts as number)).toThrow(/prefix takes the number/);
  });
});

describe("sum, min and max", () => {
  it("fold numbers, bigints, text and dates", () => {
    expect([sum(1, 2), sum(1n, 2n)]).toEqual([3, 3n]);
    expect([min(1, 2), min(2n, 1n), min("b", "a"), max(new Date(1), new Date(2))]).toEqual([1, 1n, "a", new Date(2)]);
  });

  it("fault 84: order text by code point", () => {
    expect(min("\u{1F600}", "\uff5e")).toBe("\uff5e");
    expect(max("a\u{1F600}", "a\uff5e")).toBe("a\u{1F600}");
    expect(max("a", "ab")).toBe("ab");
  });

  it("keep the earlier of equals", () => {
    const [a, b] = [new Date(5), new Date(5)];
    expect(min(a, b)).toBe(a);
    expect(max(a, b)).toBe(a);
  });

  it("fault 82: refuse what they would have to guess at", () => {
    const loose = [sum, min, max] as ((a: unknown, b: unknown) => unknown)[];
    for (const fold of loose) {
      for (const [a, b] of [
        [1, 1n],
        ["1", 1],
        [null, 1],
        [undefined, undefined],
        [{}, {}],
      ]) {
        expect(() => fold(a, b)).toThrow(expect.objectContaining({ code: "wrong-value" }));
      }
    }
    expect(() => loose[0]!("a", "b")).toThrow(/sum takes numbers or bigints, not string and string/);
  });
});

describe("group", () => {
  it("gives reduce a key that is read from the leading bytes", () => {
    const { group } = define({ ...base, key: tuple(utf8, nullable(float64), uint), group: prefix(2) });
    expect(group?.key.read(Uint8Array.of(97, 0, 0, 0, 0xff, 0, 0))).toEqual(["a", null]);
  });
});
