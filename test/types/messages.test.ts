// What tsc says of a wrong job: its first line stands at a property of the job and names what is missing or wrong
// there. Lines below it may say more, but an editor shows them last, and they hold the types of the whole job.
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

const imports = `import {
  bytes, csv, type Emit, date, defineJob, json, max, ndjson, prefix, sum, text, tsv, tuple, uint, utf8, wholeFiles, words,
} from "millrace";
interface User { id: string; name: string }
declare const all: any;
all(bytes, csv, date, json, max, ndjson, prefix, sum, text, tsv, tuple, uint, utf8, wholeFiles, words, defineJob);
`;

/** For each wrong job what is said of it: where, as the property's name or the text there, and the first line. */
const wrong: Readonly<
  Record<string, readonly [job: string, ...said: readonly (readonly [at: string, line: RegExp])[]]>
> = {
  "a value that no cell of the default output can hold": [
    `{ name: "w", input: ndjson<User>(), key: utf8, value: json<{ user: User }>(), map(user, emit) { emit(user.id, { user }); } }`,
    ["value", /is not assignable to type '.* & NeedsReduce<\[string, \{ user: User; \}\], .*Row>'/],
  ],
  "a key that no cell of the default output can hold": [
    `{ name: "w", input: text(), key: bytes, value: uint, map(l, emit) {}, combine: sum }`,
    ["key", /NeedsReduce<\[Uint8Array.*, number\], Row>'/],
  ],
  "a tuple in a tuple": [
    `{ name: "w", input: text(), key: tuple(utf8, tuple(utf8, uint)), value: uint, map(l, emit) {}, combine: sum }`,
    ["key", /NeedsReduce<\[readonly \[string, readonly \[string, number\]\], number\], Row>'/],
  ],
  "an output that writes no pairs": [
    `{ name: "w", input: text(), key: utf8, value: uint, map(l, emit) {}, combine: sum, output: text() }`,
    ["output", /& NeedsReduce<\[string, number\], string>'/],
  ],
  "the same with a built-in mapper": [
    `{ name: "w", input: text(), key: utf8, value: uint, map: words(), output: text() }`,
    ["output", /& NeedsReduce<\[string, number\], string>'/],
  ],
  "the same without codecs": [
    `{ name: "w", input: text(), map(l, emit) { emit(l, 1); }, output: text() }`,
    ["output", /& NeedsReduce<\[any, any\], string>'/],
  ],
  "an output of declared columns": [
    `{ name: "w", input: text(), key: utf8, value: uint, map(l, emit) {}, output: csv({ columns: { w: utf8, n: uint } }) }`,
    ["output", /& NeedsReduce<\[string, number\], \{ readonly w: string; readonly n: number; \}>'/],
  ],
  "typed rows of another type": [
    `{ name: "w", input: text(), key: tuple(utf8, uint), value: uint, map(l, emit) {}, output: tsv<[word: string, n: number]>() }`,
    ["output", /NeedsReduce<\[readonly \[string, number\], number\], \[word: string, n: number\]>'/],
  ],
  "JSON of another type": [
    `{ name: "w", input: text(), key: utf8, value: date, map(l, emit) {}, output: ndjson<[string, string]>() }`,
    ["output", /NeedsReduce<\[string, Date\], \[string, string\]>'/],
  ],
  "a main output among several": [
    `{ name: "w", input: text(), key: utf8, value: uint, map(l, emit) {}, output: { main: text(), rest: tsv() } }`,
    ["output", /NeedsReduce<\[string, number\], string>'/],
  ],
  "no name": [`{ input: text(), key: utf8, value: uint, map(l, emit) {}, combine: sum }`, ["input", /Lacks<"name">'/]],
  "no input": [`{ name: "w", key: utf8, value: uint, map(l, emit) {}, combine: sum }`, ["name", /Lacks<"input">'/]],
  "no map": [`{ name: "w", input: text(), key: utf8, value: uint, combine: sum }`, ["name", /Lacks<"map">'/]],
  "neither input nor map": [`{ name: "w", key: utf8, value: uint }`, ["name", /Lacks<"input" \| "map">'/]],
  "a key without codec": [
    `{ name: "w", input: text(), map(l, emit: Emit<Map<string, string>, number>) {}, reduce(k, vs, emit) {} }`,
    ["name", /& NeedsKeyCodec<Map<string, string>>'/],
  ],
  "a value without codec": [
    `{ name: "w", input: text(), map(l, emit: Emit<string, Set<string>>) {}, reduce(k, vs, emit) {} }`,
    ["name", /& NeedsValueCodec<Set<string>>'/],
  ],
  "neither codec and no reduce": [
    `{ name: "w", input: text(), map(l, emit: Emit<Map<string, string>, Set<string>>) {} }`,
    ["name", /& NeedsKeyCodec<.*> & NeedsValueCodec<.*> & NeedsReduce</],
  ],
  "a codec without order as key": [
    `{ name: "w", input: text(), key: json<User>(), value: uint, map(l, emit) {}, reduce(k, vs, emit) {} }`,
    ["key", /^Type 'JsonCodec<User>' is not assignable to type 'KeyCodec<User>'/],
  ],
  "text in place of a codec": [
    `{ name: "w", input: text(), key: "utf8", value: uint, map(l, emit) {}, reduce(k, vs, emit) {} }`,
    ["key", /^Type 'string' is not assignable to type 'KeyCodec<any>'/],
  ],
  "a constructor in place of a codec": [
    `{ name: "w", input: text(), key: utf8, value: Number, map(l, emit) {}, reduce(k, vs, emit) {} }`,
    ["value", /^Type 'NumberConstructor' is missing the following properties from type 'Codec<any>'/],
  ],
  "a codec of another type than what is emitted": [
    `{ name: "w", input: text(), key: utf8, value: uint, map(l, emit) { emit(l, "1"); }, combine: sum }`,
    [`"1"`, /^Argument of type 'string' is not assignable to parameter of type 'number'/],
  ],
  "a combine of another type": [
    `{ name: "w", input: text(), key: utf8, value: utf8, map(l, emit) {}, combine: sum }`,
    ["combine", /is not assignable to type 'Combine<string>'/],
  ],
  "a property that is none": [
    `{ name: "w", input: text(), key: utf8, value: uint, map(l, emit) {}, combiner: sum }`,
    ["combiner", /'combiner' does not exist .*Did you mean to write 'combine'\?/],
  ],
  "a key in a map-only job": [
    `{ name: "w", input: text(), key: utf8, reducers: 0, map(l, emit) { emit(l); }, output: text() }`,
    ["key", /& NotInMapOnlyJob'/],
  ],
  "a group without a tuple": [
    `{ name: "w", input: text(), key: utf8, value: uint, group: prefix(1), map(l, emit) {}, reduce(k, vs, emit) {} }`,
    ["group", /'Prefix<KeyIsNotATuple>'/],
  ],
  "two problems at once: what is emitted, and no reduce": [
    `{ name: "w", input: text(), key: utf8, value: json<User>(), map(l, emit) { emit(l, { id: 1, name: l }); }, output: text() }`,
    ["id", /^Type 'number' is not assignable to type 'string'/],
    ["output", /& NeedsReduce<\[string, User\], string>'/],
  ],
  "two problems at once: a wrong combine, and no reduce": [
    `{ name: "w", input: text(), key: utf8, value: json<User>(), map(l, emit) {}, combine: max, output: text() }`,
    ["combine", /'Combine<.*User>*'/],
    ["output", /& NeedsReduce<\[string, User\], string>'/],
  ],
  "two problems at once: no map, and no reduce": [
    `{ name: "w", input: text(), key: utf8, value: uint, output: text() }`,
    ["name", /Lacks<"map">'/],
    ["output", /& NeedsReduce<\[string, number\], string>'/],
  ],
};

interface Said {
  readonly at: string;
  readonly line: string;
}

/** What tsc says, with the options of this repository and those of strict users. */
function compiled(jobs: readonly string[]): readonly (readonly Said[])[] {
  const config = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile).config;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const path = `${root}/test/types/wrong-jobs.ts`;
  const statements = jobs.map((job) => `defineJob(${job});\n`);
  const source = imports + statements.join("");
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.readFile = (name) => (name === path ? source : readFile(name));
  host.getSourceFile = (name, version) =>
    name === path ? ts.createSourceFile(name, source, version) : getSourceFile.call(host, name, version);
  const program = ts.createProgram([path], { ...options, noEmit: true, exactOptionalPropertyTypes: true }, host);
  const file = program.getSourceFile(path)!;
  expect(program.getSyntacticDiagnostics(file)).toEqual([]);
  const said: Said[][] = jobs.map(() => []);
  const firstJob = imports.split("\n").length - 1;
  for (const { start = 0, length = 0, messageText } of program.getSemanticDiagnostics(file)) {
    const { line } = file.getLineAndCharacterOfPosition(start);
    const [first] = ts.flattenDiagnosticMessageText(messageText, "\n").split("\n");
    said[line - firstJob]!.push({ at: source.slice(start, start + length), line: first! });
  }
  return said;
}

describe("of a wrong job tsc says in one line, at the property,", () => {
  let said: ReadonlyMap<string, readonly Said[]>;

  beforeAll(() => {
    const names = Object.keys(wrong);
    const lines = compiled(names.map((name) => wrong[name]![0]));
    said = new Map(names.map((name, index) => [name, lines[index]!]));
  }, 120_000);

  it.each(Object.keys(wrong))("%s", (name) => {
    const [, ...expected] = wrong[name]!;
    const found = said.get(name)!;
    expect(found.map(({ at }) => at)).toEqual(expected.map(([at]) => at));
    for (const [i, [, line]] of expected.entries()) expect(found[i]!.line).toMatch(line);
  });
});
