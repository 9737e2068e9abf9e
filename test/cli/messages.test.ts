// What a user is told when something goes wrong: one clear error that says what, where and what to do, and nothing is
// left.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

let folder: ReturnType<typeof scratchFolder>;

beforeEach(() => {
  folder = scratchFolder();
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  write("three.txt", "hello\nboom here\nworld\n");
});
afterEach(() => folder.remove());

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(join(folder.path, name), content);
}

/** A job with this `map`, which sees `line`, `emit` and `ctx`. */
function writeJob(name: string, map: string, more = ""): void {
  write(
    name,
    `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
export default defineJob({ name: "job", input: text(), key: utf8, value: uint, ${more}
map(line, emit, ctx) {
  ${map}
}, combine: sum, output: tsv() });
`,
  );
}

const run = (...words: string[]) => millrace(["run", ...words], { cwd: folder.path });
const left = () => readdirSync(folder.path).sort();

/** The words of the command in a hint, as a shell would take them (none of them is quoted here). */
function commandBehind(hint: string, text: string): string[] {
  const line = text.split("\n").find((one) => one.includes(hint));
  expect(line, text).toBeDefined();
  return line!.slice(line!.indexOf("millrace ") + "millrace ".length).split(" ");
}

describe("an error in map", () => {
  const broken = 'if (line.startsWith("boom")) throw new TypeError("not this one");\n  emit(line, 1);';

  test("names the line of the source from here, the record and its bytes, and is told once", async () => {
    writeJob("job.ts", broken);
    const { code, stderr, stdout } = await run("job.ts", "three.txt", "-o", "out");
    expect({ code, stdout: stdout.length }).toEqual({ code: 1, stdout: 0 });
    expect(stderr).toMatch(/TypeError: not this one\n +at three\.txt:6\n +\| "boom here"\n +at .*\(job\.ts:4:\d+\)/);
    expect(stderr).not.toContain(folder.path);
    expect(left()).not.toContain("out");
  });

  test("offers to start over once the job is mended, and not to go on, which would be refused then", async () => {
    writeJob("job.ts", broken);
    const failed = await run("job.ts", "three.txt", "-o", "out", "--memory", "256MB", "--task-timeout", "5s");
    expect(failed.stderr).not.toContain("--resume");
    const over = commandBehind("start over", failed.stderr);
    expect(over).toEqual(expect.arrayContaining(["--memory", "256MB", "--task-timeout", "5s"]));
    writeJob("job.ts", "emit(line, 1);");
    const refused = await millrace([...over, "--resume"], { cwd: folder.path });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("the job's code is not the same");
    const again = await millrace(over, { cwd: folder.path });
    expect(again.code).toBe(0);
    expect(left()).toEqual(["job.ts", "node_modules", "out", "three.txt"]);
  });

  test("the hint to put bad records aside is a command that does", async () => {
    writeJob("job.ts", broken);
    const failed = await run("job.ts", "three.txt", "-o", "out");
    const { code, stderr } = await millrace(commandBehind("put bad records aside:", failed.stderr), {
      cwd: folder.path,
    });
    expect(code).toBe(0);
    expect(stderr).toContain("1 bad record, put aside in out/_dead-letters");
    expect(left()).toEqual(["job.ts", "node_modules", "out", "three.txt"]);
  });
});

test("a record that the format refuses is named as its file was given, and not by the name of our own class", async () => {
  writeJob("job.ts", "emit(line, 1);");
  write("bytes.txt", Buffer.from([0x6f, 0x6b, 0x0a, 0xff, 0x0a]));
  const { code, stderr } = await run("job.ts", "bytes.txt", "-o", "out");
  expect(code).toBe(3);
  expect(stderr).toMatch(/^ {2}the record is not UTF-8 .*\n +at bytes\.txt:3$/m);
  expect(stderr).not.toContain("--resume"); // the same bytes are refused again
  const skipped = await run("job.ts", "bytes.txt", "-o", "out", "--skip-bad", "1");
  expect(skipped.code).toBe(0);
  const letters = readFileSync(join(folder.path, "out/_dead-letters/part-m-00000.ndjson"), "utf8");
  expect(JSON.parse(letters)).toMatchObject({ source: "bytes.txt", offset: 3 });
});

test("fault 12: an endless loop is named with its record, not with the beginning of its batch", async () => {
  writeJob("job.ts", 'if (line.startsWith("boom")) for (;;);\n  emit(line, 1);');
  const { code, stderr } = await run("job.ts", "three.txt", "-o", "out", "--task-timeout", "1s", "--attempts", "2");
  expect(code).toBe(1);
  expect(stderr).toMatch(/made no progress for .* and was stopped \(tried 2 times\)\n +at three\.txt:6$/m);
  expect(commandBehind("with both unchanged", stderr)).toEqual(expect.arrayContaining(["--task-timeout", "1s"]));
  expect(commandBehind("with both unchanged", stderr)).toContain("--resume"); // with more time it may work
  expect(stderr).not.toContain("three.txt:0");
});

test("an error in a callback that outlives its call is told as one, with its place", async () => {
  writeJob("job.ts", 'void Promise.reject(new Error("nobody waits"));\n  emit(line, 1);');
  const { code, stderr } = await run("job.ts", "three.txt", "-o", "out");
  expect(code).toBe(1);
  expect(stderr).toContain("at a callback or promise that nothing waits for");
  expect(stderr).toContain("nobody waits");
  expect(stderr).toMatch(/job\.ts:4:\d+/);
});

test("a job file that throws while it is loaded is named with its line", async () => {
  write("job.ts", 'import "millrace";\n\nthrow new Error("not today");\n');
  const { code, stderr } = await run("job.ts", "three.txt");
  expect(code).toBe(1);
  expect(stderr).toMatch(/throws while it is loaded: not today\n +at job\.ts:3:7/);
});

test("a full heap is told in words, without V8's stack", async () => {
  writeJob("job.ts", "const all: unknown[] = []; for (;;) all.push(new Array(100_000).fill(line + all.length));");
  const { code, stderr } = await run("job.ts", "three.txt", "--memory", "64MB", "--slots", "1", "--attempts", "1");
  expect(code).toBe(1);
  expect(stderr).toContain("out of memory");
  expect(stderr).not.toMatch(/0x[0-9a-f]{5}|GCs|FATAL/);
});

test("with --json a refusal is an event too", async () => {
  writeJob("job.ts", "emit(line, 1);");
  const { code, stderr } = await run("job.ts", "missing.txt", "--json");
  expect(code).toBe(3);
  expect(JSON.parse(stderr)).toMatchObject({ event: "error", code: "no-input" });
});

test("a named input's record is replayed with the input's name", async () => {
  write("orders.ndjson", '{"user":1}\nno json\n');
  write("users.csv", "id,name\n1,ann\n");
  const inputs = ["--input", "users=users.csv", "--input", "orders=orders.ndjson"];
  const { stderr } = await run(join(repository, "examples/join.ts"), ...inputs, "-o", "out");
  const where = /at (orders\.ndjson:\d+)$/m.exec(stderr)?.[1];
  expect(commandBehind("run this record again:", stderr).slice(2)).toEqual([where, "--input", "orders"]);
});

test("what was piped in is not offered for a replay: it is not there any more", async () => {
  writeJob("job.ts", 'throw new Error("none of these");');
  const { code, stderr } = await millrace(["run", "job.ts", "-"], { cwd: folder.path, input: "a\n" });
  expect(code).toBe(1);
  expect(stderr).toMatch(/none of these\n +at -:0/);
  expect(stderr).not.toContain("millrace replay");
});
