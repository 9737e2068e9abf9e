// What can be read only once, given as an input: FIFOs, `<(…)` of a shell, and standard input by its names.
import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repository, scratchFolder } from "../support/cli.ts";

let folder: ReturnType<typeof scratchFolder>;
beforeAll(() => {
  folder = scratchFolder();
  const job = `import { defineJob, text } from "millrace";
export default defineJob({ name: "sources", input: text(), reducers: 0, output: text(), map(line, emit, ctx) { emit(\`\${ctx.source} \${ctx.offset} \${line}\`); } });`;
  writeFileSync(join(folder.path, "sources.ts"), job);
  writeFileSync(join(folder.path, "plain.txt"), "a file\n");
  writeFileSync(join(folder.path, "packed.gz"), gzipSync("packed\nin gzip\n"));
  execFileSync("mkfifo", ["one.fifo", "two.fifo"], { cwd: folder.path });
});
afterAll(() => folder.remove());

function shell(script: string): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  return new Promise((resolve, reject) => {
    const millrace = `"${process.execPath}" "${join(repository, "bin/millrace.js")}"`;
    const child = spawn("bash", ["-c", script.replaceAll("millrace ", `${millrace} `)], {
      cwd: folder.path,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

test("FIFOs, a shell's <(…) and /dev/stdin are read like -, beside files, and decompressed like them", async () => {
  // One program writes to both FIFOs, the second one first.
  const { code, out, err } = await shell(`
    (echo second > two.fifo; cat packed.gz > one.fifo) &
    echo piped | millrace run sources.ts one.fifo plain.txt <(printf 'x\\ny\\n') two.fifo /dev/stdin --quiet`);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const lines = out
    .replaceAll(/\/dev\/fd\/\d+/g, "SHELL")
    .trimEnd()
    .split("\n");
  expect(lines).toEqual([
    "one.fifo 0 packed",
    "one.fifo 7 in gzip",
    "plain.txt 0 a file",
    "SHELL 0 x",
    "SHELL 2 y",
    "two.fifo 0 second",
    "/dev/stdin 0 piped",
  ]);
});

test("head reads FIFOs too, with a job's format and without: compressed ones, endless ones, several", async () => {
  const { code, out, err } = await shell(`
    millrace head --job sources.ts <(cat packed.gz) <(yes endless) -n 2; millrace head <(printf 'a,b\\n1,2\\n3,4\\n')`);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.replaceAll(/\/dev\/fd\/\d+/g, "SHELL").replaceAll(/^ +/gm, "")).toBe(`SHELL  as sources reads it
0  "packed"
7  "in gzip"

SHELL  as sources reads it
0  "endless"
8  "endless"
SHELL  csv with a header: a uint, b uint
4  { a: 1, b: 2 }
8  { a: 3, b: 4 }
`);
});

test("a pipe on standard input, and no input given: the message names -", async () => {
  const { code, err } = await shell("echo piped | millrace run sources.ts --quiet");
  expect(code).toBe(2);
  expect(err).toMatch(/nothing to read.*for the pipe on standard input give -/);
});

test("standard input can be read once, and sockets and devices are refused by name", async () => {
  const twice = await shell("echo piped | millrace run sources.ts - /dev/stdin --quiet");
  expect(twice.code).toBe(2);
  expect(twice.err).toMatch(/standard input \(-, \/dev\/stdin\) can be read only once/);
  const device = await shell("millrace run sources.ts /dev/zero --quiet");
  expect(device.code).toBe(3);
  expect(device.err).toMatch(/\/dev\/zero is a device, not a regular file/);
});
