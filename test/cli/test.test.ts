// `millrace test` as a user runs it: right jobs pass, and each kind of wrong job is told apart.
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type CliResult, millrace, repository, scratchFolder } from "../support/cli.ts";

// Each of them runs a job more than a dozen times.
vi.setConfig({ testTimeout: 240_000 });

const folder = scratchFolder();
const work = join(folder.path, "work");
const write = (name: string, content: string) => writeFileSync(join(folder.path, name), content);

interface Outcome {
  readonly code: number | null;
  /** By the name of the check. */
  readonly checks: ReadonlyMap<string, { readonly outcome: string; readonly note: string; readonly details: string[] }>;
  readonly failed: readonly string[];
  readonly text: string;
}

/** The outcome of `millrace test … --json`. */
function outcomeOf({ code, stdout, stderr }: CliResult): Outcome {
  const lines = stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  const checks = new Map(lines.filter(({ check }) => check !== undefined).map((line) => [line.check, line]));
  const failed = [...checks].filter(([, { outcome }]) => outcome === "failed").map(([name]) => name);
  return { code, checks, failed, text: stdout.toString() + stderr };
}

async function tested(words: readonly string[], cwd = folder.path): Promise<Outcome> {
  return outcomeOf(await millrace(["test", ...words, "--json", "--work-dir", work], { cwd }));
}

/**
 * The examples, where the package and a compiler are installed. In the repository itself the compiler would follow
 * `paths` of its tsconfig.json into all sources, which takes longer than all other checks together.
 */
const installed = join(folder.path, "installed");

beforeAll(() => {
  mkdirSync(join(installed, "node_modules/@types"), { recursive: true });
  cpSync(join(repository, "examples"), join(installed, "examples"), { recursive: true });
  symlinkSync(repository, join(installed, "node_modules/millrace"));
  for (const name of ["typescript", "@types/node"])
    symlinkSync(join(repository, "node_modules", name), join(installed, "node_modules", name));
  const lines = Array.from({ length: 200 }, (_, i) => `${"abcde"[i % 5]} ${i % 97}`);
  write("sample.txt", `${lines.join("\n")}\n`);
});
afterAll(() => folder.remove());

test("the word count passes on books, and leaves nothing behind", async () => {
  const temporary = join(folder.path, "tmp");
  mkdirSync(temporary);
  // Some of the books: each check reads all of its sample.
  const books = ["pg-being_ernest", "pg-metamorphosis"].map((name) => `examples/data/books/${name}.txt`);
  const words = ["test", "examples/word-count.ts", ...books, "--json"];
  const { code, checks, failed, text } = outcomeOf(
    await millrace(words, { cwd: installed, env: { TMPDIR: temporary } }),
  );
  expect(failed, text).toEqual([]);
  expect(code, text).toBe(0);
  expect(checks.get("types")).toMatchObject({ outcome: "ok" });
  expect(checks.get("combine called wherever it can be")).toMatchObject({ outcome: "ok" });
  expect(checks.size).toBeGreaterThanOrEqual(16);
  expect(readdirSync(temporary)).toEqual([]);
});

test.each(["the job runs", "keys and values", "once more"])(
  "it ends in silence when no one reads its lines any more, from that of '%s' on",
  async (line) => {
    write(
      "closed.ts",
      `import { defineJob, text, uint, utf8 } from "millrace";
export default defineJob({ name: "closed", input: text(), key: utf8, value: uint, combine: (a, b) => a + b,
  map(line, emit) { for (const end = Date.now() + 5; Date.now() < end; ); emit(line, 1); },
  reduce(key, values, emit) { for (const value of values) emit([key, value]); } });\n`,
    );
    write("closed.txt", "a line\nanother line\n".repeat(30));
    // As `| head` does: some lines are read, and then the pipe is closed, while checks are under way.
    let [said, closed] = ["", false];
    const { code, stderr } = await millrace(["test", "closed.ts", "closed.txt", "--work-dir", work], {
      cwd: folder.path,
      started: (child) =>
        child.stdout!.on("data", (chunk) => {
          said += chunk;
          if (closed || !said.includes(line)) return;
          closed = true;
          child.stdout!.destroy();
        }),
    });
    expect(closed).toBe(true);
    expect(stderr).toBe("");
    expect(code).toBe(1);
    expect(readdirSync(work)).toEqual([]);
  },
);

const [users, orders] = ["users=examples/data/users.csv", "orders=examples/data/orders.ndjson"];

test.each([
  ["several inputs and outputs, and a header", ["examples/join.ts", "--input", users, "--input", orders]],
  ["a map-only job with a side file and promises", ["examples/enrich.ts", "examples/data/orders.ndjson"]],
  ["bad records put aside", ["examples/url-counts.ts", "examples/data/access.log", "--skip-bad", "5"]],
])("%s pass", async (_, words) => {
  const { code, checks, failed, text } = await tested(words, installed);
  expect(failed, text).toEqual([]);
  expect(code, text).toBe(0);
  expect(checks.get("types")).toMatchObject({ outcome: "ok" });
  expect(checks.size).toBeGreaterThanOrEqual(16);
});

test("a combine that is not associative: shown with three values, and with what it does to the result", async () => {
  write(
    "average.ts",
    `import { defineJob, float64, text, tsv, utf8 } from "millrace";
export default defineJob({
  name: "average", input: text(), key: utf8, value: float64, output: tsv(),
  map(line, emit) { const [key, value] = line.split(" "); emit(key!, Number(value)); },
  combine: (a, b) => (a + b) / 2,
});
`,
  );
  const { code, checks, failed, text } = await tested(["average.ts", "sample.txt"]);
  expect(code, text).toBe(1);
  expect(checks.get("types")).toMatchObject({ outcome: "skipped", note: expect.stringContaining("not installed") });
  expect(checks.get("combine is associative")?.details).toContain("combine(combine(a, b), c) = 6.25");
  expect(failed).toContain("tasks in reverse order");
  const first = [...checks.values()].find(({ note }) => note.startsWith("the result differs ("));
  expect(first?.details[0]).toMatch(/^part-00000\.tsv, byte \d+ \(line 1\)$/);
  expect(first?.details[1]).toMatch(/^ {2}usually {2}a\t\d/);
  expect(first?.details[3]).toContain("a combine that is not associative");
});

test("the clock in map: shown at a record, and other runs are not held against it", async () => {
  write(
    "now.ts",
    `import { defineJob, json, ndjson, text, utf8 } from "millrace";
export default defineJob({
  name: "now", input: text(), key: utf8, value: json<{ at: number }>(), output: ndjson(),
  map: (line, emit) => emit(line, { at: Date.now() }),
});
`,
  );
  const { code, checks, failed, text } = await tested(["now.ts", "sample.txt"]);
  expect(code, text).toBe(1);
  expect(failed).toEqual(["map emits the same when it is called again", "once more, everything as before"]);
  expect(checks.get(failed[0]!)?.details.at(-1)).toContain("use ctx.startedAt");
  expect(checks.get("all other runs")).toMatchObject({ outcome: "skipped" });
});

test("a reduce that can't take combined values: only forced combining shows it", async () => {
  write(
    "counts.ts",
    `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
export default defineJob({
  name: "counts", input: text(), key: utf8, value: uint, output: tsv<[string, number]>(),
  map: (line, emit) => emit(line[0]!, 1),
  combine: sum,
  reduce: (key, values, emit) => emit([key, [...values].length]),
});
`,
  );
  const { code, checks, failed, text } = await tested(["counts.ts", "sample.txt"]);
  expect(code, text).toBe(1);
  expect(failed).toEqual(["combine never called before reduce"]);
  expect(checks.get(failed[0]!)?.details.slice(1, 3)).toEqual(["  usually  a\t1", "  here     a\t40"]);
});

test("a variable of the module that outlives a task: right in fresh processes, wrong in shared ones", async () => {
  write(
    "shared.ts",
    `import { defineJob, text, uint } from "millrace";
let tasks = 0;
export default defineJob({
  name: "shared", input: text(), reducers: 0, output: text(),
  // In this process, where map is called again, all is well.
  setup: () => (process.cwd().includes("slots") ? ++tasks : 1),
  map: (line, emit, ctx) => emit(\`\${ctx.state} \${line}\`),
});
`,
  );
  const { code, checks, failed, text } = await tested(["shared.ts", "sample.txt"]);
  expect(code, text).toBe(1);
  const fresh = [...checks].find(([name]) => name.endsWith("a process of its own for each task"));
  expect(fresh?.[1].outcome).toBe("ok");
  expect(failed).toContain("1 slot");
  const advice = [...checks.values()].flatMap(({ details }) => details);
  expect(advice.filter((line) => line.includes("a variable of the module"))).toHaveLength(1);
  expect(advice).toContainEqual(expect.stringMatching(/^part-m-00000\.txt, byte \d+ \(line \d+\)$/));
});

test("state kept from record to record: wrong with other splits, also in fresh processes, and once interrupted", async () => {
  write(
    "numbered.ts",
    `import { defineJob, text, uint, tsv, utf8 } from "millrace";
export default defineJob({
  name: "numbered", input: text(), key: utf8, value: uint, output: tsv(),
  setup: () => ({ n: 0 }),
  map: (line, emit, ctx) => emit(line, ctx.state.n++),
});
`,
  );
  const { code, checks, failed, text } = await tested(["numbered.ts", "sample.txt"]);
  expect(code, text).toBe(1);
  expect(checks.get("map emits the same when it is called again")?.details.at(-1)).toContain(
    "from one record to the next",
  );
  expect(checks.get("once more, everything as before")?.outcome).toBe("ok");
  expect(failed.filter((name) => name.includes("process of its own"))).toHaveLength(1);
  expect(checks.get("each map task interrupted, and gone on with behind a checkpoint")).toMatchObject({
    outcome: "failed",
    note: expect.stringMatching(/1 map task, 1 gone on with/),
  });
});

test("a record that map throws on is the user's error with its place, not a difference", async () => {
  write(
    "throws.ts",
    `import { defineJob, text, uint, tsv, utf8 } from "millrace";
export default defineJob({
  name: "throws", input: text(), key: utf8, value: uint, output: tsv(),
  map(line, emit) {
    if (line === "c 7") throw new TypeError("seven is unlucky");
    emit(line, 1);
  },
});
`,
  );
  const { code, checks, failed, text } = await tested(["throws.ts", "sample.txt"]);
  expect(code, text).toBe(1);
  expect(failed).toEqual(["the job runs"]);
  const { note, details } = checks.get("the job runs")!;
  expect(note).toBe("TypeError: seven is unlucky");
  expect(details).toEqual([
    "at sample.txt:28",
    '| "c 7"',
    expect.stringMatching(/^at Object\.map \(throws\.ts:5:\d+\)$/),
  ]);
  const skipping = await tested(["throws.ts", "sample.txt", "--skip-bad", "3"]);
  expect(skipping.failed, skipping.text).toEqual([]);
  expect(skipping.checks.get("the job runs")?.note).toContain("bad ones put aside");
});

test("people get a line per check and a last one; what can't be tested has the exit code of whose turn it is", async () => {
  write("missing.ts", 'export default "no job";\n');
  const unknown = await millrace(["test", "throws.ts", "sample.txt", "-o", "out"], { cwd: folder.path });
  expect(unknown.code).toBe(2);
  expect((await millrace(["test", "throws.ts", "nothing"], { cwd: folder.path })).code).toBe(3);
  expect((await millrace(["test", "missing.ts", "sample.txt"], { cwd: folder.path })).code).toBe(1);
  const { stdout, code } = await millrace(["test", "throws.ts", "sample.txt"], { cwd: folder.path });
  expect(stdout.toString()).toMatch(/^skipped {2}types: .*\nFAIL {5}the job runs: TypeError: seven is unlucky\n {11}/);
  expect(stdout.toString()).toMatch(/\n\nfailed 1 of 1 checks, 2 skipped\n$/);
  expect(code).toBe(1);
});

test("colours are the terminal's, and control characters of the data never are", async () => {
  write("sneaky.txt", "c 7 \u001b[2J\n");
  write(
    "sneaky.ts",
    `import { defineJob, text } from "millrace";
export default defineJob({
  name: "sneaky", input: text(), reducers: 0, output: text(),
  map(line) { throw new Error(line); },
});
`,
  );
  const coloured = { cwd: folder.path, env: { FORCE_COLOR: "1", NO_COLOR: "" } };
  const { stdout } = await millrace(["test", "sneaky.ts", "sneaky.txt"], coloured);
  const text = stdout.toString();
  expect(text).toContain("\u001b[31mFAIL");
  expect(text).toContain("c 7 \\x1b[2J");
  expect(text).not.toContain("\u001b[2J");
  expect(text).not.toMatch(/\\x1b\[2m/);
});

test("an interrupted test ends with 130 and leaves nothing behind", async () => {
  write(
    "slow.ts",
    `import { defineJob, text } from "millrace";
export default defineJob({
  name: "slow", input: text(), reducers: 0, output: text(),
  map: async (line, emit) => { await new Promise((done) => setTimeout(done, 100)); emit(line); },
});
`,
  );
  const { code, stderr } = await millrace(["test", "slow.ts", "sample.txt", "--work-dir", work], {
    cwd: folder.path,
    started(child) {
      const timer = setInterval(() => {
        if (
          !existsSync(work) ||
          !readdirSync(work, { recursive: true, encoding: "utf8" }).some((name) => name.includes("slot-"))
        )
          return;
        clearInterval(timer);
        child.kill("SIGINT");
      }, 20);
      child.on("exit", () => clearInterval(timer));
    },
  });
  expect(stderr).toContain("cancelled");
  expect(code).toBe(130);
  expect(readdirSync(work)).toEqual([]);
});
