// What the job's code does after its call has returned (fault 26): it belongs to the attempt whose code it is, it is
// the job's error, and nothing is published without it. All that Node may call it from: test/faults/late.test.ts.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CliResult, millrace, publishedText, repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const lines = 300;

beforeAll(() => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "in.txt"), Array.from({ length: lines }, (_, i) => `line ${i}\n`).join(""));
  writeFileSync(join(folder.path, "one.txt"), "one line\n");
});

afterAll(() => folder.remove());

const imports = `import { byRange, defineJob, sum, text, tsv, uint, utf8 } from "millrace";
import { createServer, connect } from "node:net";
import { exec } from "node:child_process";
import { pbkdf2, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { readFile as readFileBack } from "node:fs";
import { gzip } from "node:zlib";
`;

let jobs = 0;

/** `head`: above the job; `of`: its properties beside the name. */
function writeJob(of: string, head = ""): string {
  const name = `job-${++jobs}.ts`;
  writeFileSync(
    join(folder.path, name),
    `${imports}${head}\nexport default defineJob({\n  name: "late",\n  ${of}\n});\n`,
  );
  return name;
}

/** The place of the line that is marked, or of the only one that could be it. */
function placeOf(job: string): RegExp {
  const lines = readFileSync(join(folder.path, job), "utf8").split("\n");
  const marked = lines.findIndex((line) => line.includes("/*late*/")) + 1;
  expect(marked).toBeGreaterThan(0);
  return new RegExp(`at .*${job}:${marked}:`);
}

async function run(job: string, input = "one.txt", ...flags: readonly string[]): Promise<CliResult & { out: string }> {
  const out = `out-${++jobs}`;
  const result = await millrace(["run", job, input, "-o", out, "--slots", "1", ...flags], { cwd: folder.path });
  return { ...result, out: join(folder.path, out) };
}

/** Failed by what came late, at once, with nothing published. */
function expectLate(
  { code, stderr, out }: Awaited<ReturnType<typeof run>>,
  place: RegExp,
  what = "after its call of",
): void {
  expect(code, stderr).toBe(1);
  expect(stderr).toContain(what);
  expect(stderr).toContain("wait it or return its promise");
  expect(stderr).toMatch(place);
  expect(stderr).not.toMatch(/tried \d+ times/);
  expect(existsSync(out)).toBe(false);
}

test("what a thread computes is waited for, also when it takes longer than what can be left open for ever", async () => {
  const job = writeJob(`input: text(), reducers: 0, output: text(),
  map(line, emit) {
    pbkdf2(line, "salt", 4_000_000, 32, "sha256", () => emit(line)); /*late*/
  },`);
  expectLate(await run(job), placeOf(job));
});

test.each([
  ["emit.to", 'emit.to("other", line);'],
  ["ctx.count", 'ctx.count("seen");'],
  ["ctx.log", 'ctx.log("seen");'],
])("%s after map has returned fails the job", async (call, code) => {
  const job = writeJob(`input: text(), reducers: 0, output: { main: text(), other: text() },
  map(line, emit, ctx) {
    emit(line);
    setTimeout(() => { ${code} }, 20); /*late*/
  },`);
  expectLate(await run(job), placeOf(job), `${call}`);
});

test("what was caught by the job's own code fails it all the same", async () => {
  const job = writeJob(`input: text(), key: utf8, value: uint, combine: sum, output: tsv(),
  map(line, emit) {
    setTimeout(() => { try { emit(line, 1); } catch {} }, 20); /*late*/
  },`);
  expectLate(await run(job), placeOf(job));
});

const sleep = "const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));";

test("a late call among those of records under way is refused, though others may still emit", async () => {
  const job = writeJob(
    `input: text(), reducers: 0, output: text(), concurrency: 4,
  async map(line, emit) {
    if (line.endsWith("7")) void sleep(25).then(() => emit("late")); /*late*/
    await sleep(1);
    emit(line);
    if (line.endsWith("9")) await sleep(100);
  },`,
    sleep,
  );
  expectLate(await run(job, "in.txt"), placeOf(job));
});

test("what a call starts and does not wait for is no error where it comes while the call is under way", async () => {
  const job = writeJob(
    `input: text(), reducers: 0, output: text(),
  async map(line, emit) {
    const other = Promise.resolve().then(() => emit(line));
    await sleep(5);
    await other;
  },`,
    sleep,
  );
  const good = await run(job, "in.txt");
  expect(good.code, good.stderr).toBe(0);
  expect(publishedText(good.out).split("\n")).toHaveLength(lines + 1);
});

test("a map that returns promises now and then can't emit for a record whose call has returned", async () => {
  const job = writeJob(
    `input: text(), reducers: 0, output: text(),
  map(line, emit) {
    if (line === "line 3") void sleep(20).then(() => emit("late")); /*late*/
    else if (line === "line 9") return sleep(100).then(() => emit(line));
    else emit(line);
  },`,
    sleep,
  );
  expectLate(await run(job, "in.txt"), placeOf(job));
});

test("a map that returns promises now and then, and waits for all it starts, gives every record", async () => {
  const job = writeJob(
    `input: text(), reducers: 0, output: text(),
  map(line, emit, ctx) {
    ctx.count("calls that count");
    if (line.endsWith("9")) return sleep(1).then(() => emit(line));
    emit(line);
  },`,
    sleep,
  );
  const result = await run(job, "in.txt");
  expect(result.code, result.stderr).toBe(0);
  expect(publishedText(result.out).split("\n")).toHaveLength(lines + 1);
  expect(result.stderr).toMatch(/calls that count: 300/);
});

describe("reduce", () => {
  const reducing = (body: string) => `input: text(), key: utf8, value: uint, output: tsv(),
  map(line, emit) { emit(line, 1); },
  /*late*/ reduce${body},`;

  test.each([
    ["emits in a timer", "(key, values, emit) { setTimeout(() => emit([key, 1]), 20); }"],
    ["emits in a promise", "(key, values, emit) { void Promise.resolve().then(() => emit([key, 1])); }"],
    ["counts in a timer", '(key, values, emit, ctx) { emit([key, 1]); setTimeout(() => ctx.count("n"), 20); }'],
    [
      "reads its values in a promise",
      "(key, values, emit) { emit([key, 1]); void (async () => { await null; for (const value of values) console.log(value); })(); }",
    ],
    ["emits in zlib's callback", "(key, values, emit) { gzip(key, () => emit([key, 1])); }"],
  ])("that %s fails its job", async (_, body) => {
    const job = writeJob(reducing(body));
    for (const result of await Promise.all([run(job), run(job, "in.txt")])) {
      expectLate(result, placeOf(job), "after its call of reduce had returned");
    }
  });

  test.each([
    ["async", "async (key, values, emit) => {", "await sleep(30); emit([key, 1]);"],
    ["not async", "(key, values, emit) => {", "return sleep(30).then(() => emit([key, 1]));"],
  ])("that is %s can't emit while that of another key is under way", async (_, head, end) => {
    const job = writeJob(
      reducing(`: ${head} if (key === "line 1") { void sleep(5).then(() => emit([key, 1])); return; } ${end} }`),
      sleep,
    );
    writeFileSync(join(folder.path, "few.txt"), "line 0\nline 1\nline 2\nline 3\n");
    expectLate(await run(job, "few.txt", "--reducers", "1"), placeOf(job), "its call of reduce");
  });

  test("that returns promises now and then, and waits for all, gives every key", async () => {
    const job = writeJob(
      reducing(`(key, values, emit, ctx) {
    ctx.count("keys");
    if (key.endsWith("9")) return sleep(1).then(() => emit([key, 1]));
    emit([key, 1]);
  }`),
      sleep,
    );
    const result = await run(job, "in.txt", "--reducers", "1");
    expect(result.code, result.stderr).toBe(0);
    expect(publishedText(result.out).split("\n")).toHaveLength(lines + 1);
    expect(result.stderr).toMatch(/keys: 300/);
  });
});

describe("setup, teardown and what is called without being waited for", () => {
  const counting = (of: string) => `input: text(), reducers: 0, output: text(),
  /*late*/ ${of}
  map(line, emit) { emit(line); },`;

  test.each([
    ["setup", 'setup(ctx) { setTimeout(() => ctx.count("late"), 60); },'],
    ["teardown", 'teardown(ctx) { setTimeout(() => ctx.count("late"), 20); },'],
    [
      "teardown, in a promise",
      'teardown(ctx) { void Promise.resolve().then(() => readFile("/proc/self/stat")).then(() => ctx.count("late")); },',
    ],
  ])("%s that counts late fails its job", async (_, of) => {
    const job = writeJob(counting(of));
    expectLate(await run(job), placeOf(job), "ctx.count");
  });

  test.each([
    ["setup", 'setup() { setTimeout(() => { throw new Error("too late"); }, 40); },'],
    ["teardown", 'teardown() { void readFile("/nowhere"); },'],
  ])("what %s throws where nothing waits for it fails its job", async (_, of) => {
    const job = writeJob(counting(of));
    expectLate(await run(job), /nowhere|too late/, "a callback or promise that nothing waits for");
  });

  test.each([
    ["combine", "combine: ((a: number, b: number) => Promise.resolve(a + b)) as never,"],
    ["partition", "reducers: 3, partition: (() => Promise.resolve(1)) as never,"],
    ["write of the output's format", 'output: { extension: "x", write: async () => { await null; } },'],
    ["write of the value's codec", "value: { ordered: true, write: async () => {}, read: () => 1 } as never,"],
  ])("%s that returns a promise fails its job", async (what, of) => {
    const job = writeJob(`input: text(), key: utf8, value: uint,
  map(line, emit) { emit("key", 1); emit("key", 1); },
  ${of}`);
    const result = await run(job);
    expect(result.code, result.stderr).toBe(1);
    expect(result.stderr).toContain(`${what} returned a promise, and nothing waits for it`);
    expect(result.stderr).not.toMatch(/tried \d+ times/);
    expect(existsSync(result.out)).toBe(false);
  });
});

test.each([
  ["a promise", 'void Promise.reject(new Error("too late"));'],
  ["a timer that is due", 'setImmediate(() => { throw new Error("too late"); });'],
  ["a timer", 'setTimeout(() => { throw new Error("too late"); }, 40);'],
])("fault 17: an error in %s of the last record fails its map task, not what runs next", async (_, late) => {
  const job = writeJob(`input: text(), key: utf8, value: uint, combine: sum,
  map(line, emit) { emit(line, 1); ${late} }, /*late*/`);
  const result = await run(job);
  expectLate(result, /too late/, "a callback or promise that nothing waits for");
  expect(result.stderr).toMatch(placeOf(job));
  expect(result.stderr).not.toContain("reduce-00000");
});

describe("a job that waits for all it starts is not failed", () => {
  test.each([
    [
      "that is async, with many records under way",
      "async map(line, emit) { await sleep(Math.random() * 5); emit(line); }",
      sleep,
    ],
    ["that leaves an interval of its module going", "map(line, emit) { emit(line); }", "setInterval(() => {}, 20);"],
    [
      "that leaves a server of its setup open",
      'setup: () => createServer().listen(0, "127.0.0.1"), map(line, emit) { emit(line); }',
      "",
    ],
    [
      "with a connection that is opened in setup, used in map, and never closed",
      `async setup() {
    const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const socket = connect((server.address() as { port: number }).port, "127.0.0.1");
    const waiting: (() => void)[] = [];
    socket.on("data", (bytes) => { for (const _ of bytes) waiting.shift()!(); });
    return { ask: () => new Promise<void>((resolve) => { waiting.push(resolve); socket.write("x"); }) };
  },
  async map(line, emit, ctx) { await ctx.state.ask(); emit(line); }`,
      "",
    ],
    [
      "that fails a record, whose other branches go on, and puts it aside",
      'async map(line, emit) { await Promise.all([line === "line 5" ? Promise.reject(new Error("bad")) : emit(line), sleep(20).then(() => { if (line === "line 5") emit("nothing"); })]); }',
      sleep,
    ],
    [
      "that listens for the end of its process",
      "map(line, emit) { emit(line); }",
      'process.on("beforeExit", () => process.exit(3));',
    ],
  ])("%s", async (_, of, head) => {
    const job = writeJob(`input: text(), reducers: 0, output: text(),\n  ${of},`, head);
    const result = await run(job, "in.txt", "--skip-bad", "1", "--split-size", "1KiB");
    expect(result.code, result.stderr).toBe(0);
    expect(publishedText(result.out).split("\n").length).toBeGreaterThanOrEqual(lines);
  });

  test("an interval of the module does not hide what a map leaves going", async () => {
    const job = writeJob(
      `input: text(), reducers: 0, output: text(),
  map(line, emit) {
    gzip(Buffer.alloc(3e5, line), () => emit(line)); /*late*/
  },`,
      "setInterval(() => {}, 5);",
    );
    for (const result of await Promise.all([run(job), run(job), run(job, "in.txt")])) {
      expectLate(result, placeOf(job));
    }
  });
});

// Beside each other: they wait for seconds, for what stays open.
describe.concurrent("what stays open", { timeout: 180_000 }, () => {
  test("what is left open is named: in the summary, in the task's log, and by `millrace test`, for which a timer is a note only", async () => {
    const timer = writeJob(`input: text(), reducers: 0, output: text(),
    map(line, emit) { emit(line); setTimeout(() => {}, 3_600_000); },`);
    const socket = writeJob(`input: text(), reducers: 0, output: text(),
    map(line, emit) { emit(line); createServer().listen(0, "127.0.0.1"); },`);
    const [first, second] = await Promise.all([run(timer), run(socket)]);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).toMatch(/left +your code left a timer open/);
    expect(first.stderr).toContain("the job's code still has open: Timeout");
    expect(second.code, second.stderr).toBe(0);
    expect(second.stderr).toMatch(/left +your code left a connection, file or process open/);
    const [noted, failed] = await Promise.all(
      [timer, socket].map((job) => millrace(["test", job, "one.txt"], { cwd: folder.path })),
    );
    expect(noted!.code, noted!.stdout.toString()).toBe(0);
    expect(noted!.stdout.toString()).toMatch(/ok +the job runs .*your code left a timer open/);
    expect(failed!.code).toBe(1);
    expect(failed!.stdout.toString()).toMatch(/FAIL +the job runs: your code left a connection/);
  });

  test.each([
    [
      "a timer that lost its race",
      "await Promise.race([null, new Promise((resolve) => setTimeout(resolve, 3_600_000))]);",
    ],
    ["a server that is never closed", 'createServer().listen(0, "127.0.0.1");'],
    ["another program that does not end", 'exec("sleep 1000");'],
  ])("%s does not hide what a thread computes", async (_, leave) => {
    const job = writeJob(`input: text(), reducers: 0, output: text(),
  async map(line, emit) {
    emit(line);
    ${leave}
    // Of the last split's last record: longer than anything is waited for that stays open.
    if (line === "line 299") pbkdf2(line, "salt", 8_000_000, 32, "sha256", () => emit(line)); /*late*/
  },`);
    expectLate(await run(job, "in.txt", "--split-size", "1KiB"), placeOf(job));
  });

  test("a timer that lost its race costs two seconds at most, and fails nothing", async () => {
    const job = writeJob(`input: text(), reducers: 0, output: text(),
  async map(line, emit) {
    await Promise.race([Promise.resolve(), new Promise((resolve) => setTimeout(resolve, 3_600_000))]);
    emit(line);
  },`);
    const result = await run(job, "in.txt", "--split-size", "1KiB");
    expect(result.code, result.stderr).toBe(0);
    expect(publishedText(result.out).split("\n")).toHaveLength(lines + 1);
  });
});

describe("commands that run the job's code in their own process say it too", () => {
  const late = `input: text(), key: utf8, value: uint, combine: sum, output: tsv(), partition: byRange(), reducers: 2,
  map(line, emit) {
    setTimeout(() => emit(line, 1), 20); /*late*/
  },`;

  test.each([
    ["plan", (job: string) => ["plan", job, "one.txt"]],
    ["replay", (job: string) => ["replay", job, "one.txt:0"]],
    ["test", (job: string) => ["test", job, "one.txt"]],
    ["sim", (job: string) => ["sim", job, "one.txt", "--seeds", "1"]],
  ])("%s", async (_, words) => {
    const job = writeJob(late);
    const { code, stdout, stderr } = await millrace(words(job), { cwd: folder.path });
    const said = stdout.toString() + stderr;
    expect(code, said).toBe(1);
    expect(said).toContain("emit was called after its call of map had returned");
    expect(said).toMatch(placeOf(job));
    expect(said).not.toContain("millrace:program");
  });
});

describe("they and a quiet run say it of every function of the job", () => {
  const emitting = "map(line, emit) { emit(line, 1); emit(line, 1); },";
  const functions: Readonly<Record<string, string>> = {
    reduce: `${emitting} reduce(key, values, emit) { setTimeout(() => emit([key, 1]), 20); /*late*/ },`,
    combine: `${emitting} combine(a, b) { setTimeout(() => { throw new Error("too late"); }, 20); /*late*/ return a + b; },`,
    setup: `combine: sum, ${emitting} setup(ctx) { setTimeout(() => ctx.count("late"), 60); /*late*/ },`,
    teardown: `combine: sum, ${emitting} teardown(ctx) { setTimeout(() => ctx.count("late"), 20); /*late*/ },`,
  };

  test.each([
    ...Object.keys(functions).map((name) => [name, "run", "--quiet", "-o", "quiet-out"]),
    ...["reduce", "combine", "setup", "teardown"].map((name) => [name, "test"]),
    ...["reduce", "combine", "setup", "teardown"].map((name) => [name, "sim", "--seeds", "1"]),
    ["setup", "replay"],
    ["teardown", "replay"],
  ])("%s: %s", async (name, command, ...flags) => {
    const job = writeJob(`input: text(), key: utf8, value: uint, output: tsv(),\n  ${functions[name!]}`);
    const input = command === "replay" ? "one.txt:0" : "one.txt";
    const { code, stdout, stderr } = await millrace([command!, job, input, ...flags], { cwd: folder.path });
    const said = stdout.toString() + stderr;
    expect(code, said).toBe(1);
    expect(said).toMatch(name === "combine" ? /too late/ : /was called after/);
    expect(said).toMatch(placeOf(job));
    expect(existsSync(join(folder.path, "quiet-out"))).toBe(false);
  });
});
