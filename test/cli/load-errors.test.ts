// Whatever a job file does while it is loaded or asked what it is: the command that loads it says so in a few lines,
// with the place in the user's own file, and shows nothing of this program.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const write = (name: string, content: string) => writeFileSync(join(folder.path, name), content);

/** A job of this property beside the usual ones. */
const job = (property: string, before = "") => `import { defineJob, text } from "millrace";
${before}
export default defineJob({ name: "odd", input: text(), reducers: 0, output: text(), map(line, emit) { emit(line); },
  ${property}
});
`;

interface Case {
  readonly source: string;
  /** In what is said. */
  readonly says: RegExp;
  /** None where nothing tells the line: a value that is no error has none. */
  readonly place?: RegExp;
}

const cases: Readonly<Record<string, Case>> = {
  "throws an error": {
    source: 'import "millrace";\n\nthrow new TypeError("not today");\n',
    says: /TypeError: not today/,
    place: /job\.ts:3:7/,
  },
  "throws an error in a function": {
    source: 'function f() {\n  throw new Error("deep");\n}\nf();\nexport default 1;\n',
    says: /deep/,
    place: /at f \(job\.ts:2:9\)/,
  },
  "throws null": { source: "throw null;\n", says: /null was thrown/ },
  "throws undefined": { source: "throw undefined;\n", says: /undefined was thrown/ },
  "throws a string": { source: 'throw "just text";\n', says: /just text/ },
  "throws an object whose getters throw": {
    source: "throw { get message() { throw 1; }, get stack() { throw 2; }, get name() { throw 3; } };\n",
    says: /throws while it is loaded/,
  },
  "throws a proxy whose traps throw": {
    source:
      'const t = () => { throw new Error("trap"); };\nthrow new Proxy({}, { get: t, getPrototypeOf: t, has: t, ownKeys: t, getOwnPropertyDescriptor: t });\n',
    says: /throws while it is loaded/,
  },
  "throws an object without a prototype": { source: "throw Object.create(null);\n", says: /throws while it is loaded/ },
  "throws what has a huge message": {
    source: 'throw new Error("x".repeat(1_000_000));\n',
    says: /xxx/,
    place: /job\.ts:1:7/,
  },
  "rejects later than it is loaded": {
    source: `import { defineJob, text } from "millrace";\nvoid Promise.reject(new Error("floating"));\nawait new Promise((done) => setTimeout(done, 100));\n${job("").split("\n").slice(1).join("\n")}`,
    says: /floating/,
    place: /job\.ts:2:21/,
  },
  "has a syntax error": {
    source: 'import "millrace";\nexport default {;\n',
    says: /can't be bundled/,
    place: /job\.ts:2:17/,
  },
  "imports what is not there": {
    source: 'import { x } from "./nowhere.ts";\nexport default x;\n',
    says: /Could not resolve/,
    place: /job\.ts:1:19/,
  },
  "requires by itself what is beside it": {
    source: `import { createRequire } from "node:module";\nexport default createRequire(import.meta.url)("./fast.node");\n`,
    says: /Cannot find module '\.\/fast\.node': a job runs as one bundle.*import x from "\.\/fast\.node"/,
    place: /job\.ts:2:45/,
  },
  "imports a package that is not installed": {
    source: 'import { x } from "no-such-package";\nexport default x;\n',
    says: /npm install no-such-package/,
    place: /job\.ts:1:19/,
  },
  "is empty": { source: "", says: /no default export/, place: /job\.ts/ },
  "has no default export": { source: "export const a = 1;\n", says: /no default export/, place: /job\.ts/ },
  "exports a number": { source: "export default 1;\n", says: /is not a job made by defineJob/, place: /job\.ts/ },
  "exports what defineJob takes": {
    source: "export default { map() {} };\n",
    says: /wrap it in defineJob/,
    place: /job\.ts/,
  },
  "exports a proxy whose traps throw": {
    source:
      'const t = () => { throw new Error("trap"); };\nexport default new Proxy({}, { get: t, has: t, getPrototypeOf: t });\n',
    says: /trap/,
    place: /job\.ts:1:25/,
  },
  "gives defineJob a wrong property": {
    source: job("reduers: 1,"),
    says: /no property "reduers"/,
    place: /job\.ts:3:16/,
  },
  "gives defineJob nothing": {
    source: 'import { defineJob } from "millrace";\nexport default defineJob(undefined as never);\n',
    says: /defineJob takes an object/,
    place: /job\.ts:2:16/,
  },
  "has a getter that throws": {
    source: job('get concurrency() { throw new RangeError("got"); },'),
    says: /RangeError: got/,
    place: /job\.ts:4:\d+/,
  },
  "has a format whose header throws": {
    source: job("").replace(
      "output: text()",
      'output: { extension: "x", header() { throw new Error("no head"); }, write() {} }',
    ),
    says: /no head/,
    place: /job\.ts:3:\d+/,
  },
  "has a format whose extension changes": {
    source: job("", "let n = 0;").replace(
      "output: text()",
      'output: { get extension() { if (n++ > 0) throw new Error("gone"); return "x"; }, write() {} }',
    ),
    says: /gone/,
    place: /job\.ts:3:\d+/,
  },
  "exits with 0": { source: "process.exit(0);\n", says: /ended its process: process\.exit\(0\)/, place: /job\.ts/ },
  "exits with 3": { source: "process.exit(3);\n", says: /ended its process: process\.exit\(3\)/, place: /job\.ts/ },
  aborts: { source: "process.abort();\n", says: /aborted/, place: /job\.ts/ },
  "calls run": {
    source: 'import { run } from "millrace";\nawait run(1 as never, { inputs: [] } as never);\nexport default 1;\n',
    says: /must not call run/,
    place: /job\.ts:2:7/,
  },
};

const commands: Readonly<Record<string, readonly string[]>> = {
  run: ["in.txt"],
  plan: ["in.txt"],
  test: ["in.txt"],
  replay: ["in.txt:0"],
  sim: ["in.txt"],
};

const program = /\b(?:dist|program)\/|millrace:program|chunk-[A-Z0-9]{8}|node:internal/;

beforeAll(() => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  let i = 0;
  for (const { source } of Object.values(cases)) {
    mkdirSync(join(folder.path, String(i)));
    write(`${i}/job.ts`, source);
    write(`${i}/in.txt`, "a line\n");
    i++;
  }
});
afterAll(() => folder.remove());

// All commands load a job in the same way, so each kind of job is tried by `run` and one other command, in turn.
const others = Object.keys(commands).filter((command) => command !== "run");

describe.each(
  Object.entries(cases).map(
    ([name, each], i) => [name, each, join(folder.path, String(i)), ["run", others[i % others.length]!]] as const,
  ),
)("a job file that %s", (_, { says, place }, cwd, tried) => {
  test(`is named by ${tried.join(" and ")}`, { timeout: 120_000 }, async () => {
    for (const command of tried) {
      const { code, signal, stderr, stdout } = await millrace([command, "job.ts", ...commands[command]!], { cwd });
      const said = stdout.toString() + stderr;
      expect({ command, signal, isWrong: code !== 0 && code !== null, said }).toMatchObject({
        signal: null,
        isWrong: true,
      });
      expect(said, command).toMatch(says);
      if (place !== undefined) expect(said, command).toMatch(place);
      expect(said, command).not.toMatch(program);
      expect(said.length, command).toBeLessThan(6_000);
    }
  });
});

test("run() rejects with the job's line and the caller's, and prints nothing of this package", {
  timeout: 120_000,
}, async () => {
  const { execFile } = await import("node:child_process");
  mkdirSync(join(folder.path, "caller"));
  symlinkSync(join(repository), join(folder.path, "caller", "node_modules_millrace"));
  const entry = JSON.stringify(join(repository, "dist/index.js"));
  const jobs: Readonly<Record<string, string>> = {
    "throws.mjs":
      'export default defineJob({ name: "a", input: text(), reducers: 0, output: text(), map() { throw new Error("in map"); } });',
    "loads.mjs":
      'if (process.cwd() !== START) throw new Error("at load");\nexport default defineJob({ name: "a", input: text(), reducers: 0, output: text(), map() {} });',
    "wrong.mjs": 'export default defineJob({ name: "a", input: text(), reducers: -1, map() {} });',
    "right.mjs": 'export default defineJob({ name: "a", input: text(), reducers: 0, output: text(), map() {} });',
  };
  const cwd = join(folder.path, "caller");
  for (const [name, source] of Object.entries(jobs))
    writeFileSync(
      join(cwd, name),
      `import { defineJob, text } from "millrace";\n${source.replace("START", JSON.stringify(cwd))}\n`,
    );
  mkdirSync(join(cwd, "node_modules"));
  symlinkSync(repository, join(cwd, "node_modules/millrace"));
  writeFileSync(join(cwd, "in.txt"), "a line\n");
  const said = (file: string, options: string) =>
    new Promise<string>((resolve) => {
      const text = `import { run } from ${entry};\nconst { default: job } = await import("./${file}");\nawait run(job, ${options});\n`;
      writeFileSync(join(cwd, "call.mjs"), text);
      execFile(process.execPath, ["call.mjs"], { cwd }, (error, stdout, stderr) =>
        resolve(error === null ? "" : stdout + stderr),
      );
    });
  const noProgram = /dist\/|chunk-|minified|import\{/;
  for (const [file, options, ...expected] of [
    ["throws.mjs", '{ inputs: ["in.txt"], output: "out" }', "in map", "throws.mjs:2:", "call.mjs:3:"],
    ["loads.mjs", '{ inputs: ["in.txt"], output: "out" }', "at load", "loads.mjs:2:"],
    ["wrong.mjs", '{ inputs: ["in.txt"], output: "out" }', "reducers is a whole number", "wrong.mjs:2:"],
    ["right.mjs", '{ inputs: [""], output: "out" }', "empty", "call.mjs:3:"],
    ["right.mjs", '{ inputs: ["in.txt"], output: "" }', "output is empty", "call.mjs:3:"],
    ["right.mjs", '{ inputs: ["in.txt"], output: "-" }', "./-", "call.mjs:3:"],
    ["right.mjs", '{ inputs: ["nothing.txt"] }', "there is no file", "call.mjs:3:"],
    ["right.mjs", '{ inputs: ["in.txt"], ouput: "out" }', 'did you mean "output"', "call.mjs:3:"],
  ] as const) {
    const text = await said(file, options);
    for (const part of expected) expect(text, `${file} ${options}`).toContain(part);
    expect(text, `${file} ${options}`).not.toMatch(noProgram);
  }
});
