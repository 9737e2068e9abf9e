// `millrace head` as a user types it: files, pipes and object stores, compressed or not.
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/system/clock.ts";
import { s3AccessFrom } from "../../src/storage/s3/access.ts";
import { S3Client } from "../../src/storage/s3/api/client.ts";
import { nodeTransport } from "../../src/storage/s3/api/transport.ts";
import { S3Objects } from "../../src/storage/s3/objects.ts";
import { millrace, repository, scratchFolder } from "../support/cli.ts";
import { type RunningS3, startS3rver } from "../support/s3rver.ts";

const csv = "id,city,n\n1,Rome,1.5\n2,Bonn,\n3,Köln,-7\n";
const shown = [
  "csv with a header: id uint, city utf8, n float64?",
  "      10  { id: 1, city: 'Rome', n: 1.5 }",
  "      21  { id: 2, city: 'Bonn', n: null }",
  "      29  { id: 3, city: 'Köln', n: -7 }",
];
const folder = scratchFolder();
let server: RunningS3;

beforeAll(async () => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "in.csv.gz"), gzipSync(csv));
  server = await startS3rver("in");
  const options = { access: () => s3AccessFrom(server.env), clock: systemClock, random: Math.random };
  const objects = new S3Objects(new S3Client({ ...options, pathStyle: undefined, transport: nodeTransport() }));
  await objects.put({ bucket: "in", key: "a/in.csv.gz" }, gzipSync(csv));
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

const head = (words: readonly string[], input?: string | Uint8Array) =>
  millrace(["head", ...words], { cwd: folder.path, env: server.env, ...(input !== undefined && { input }) });
const linesOf = (text: Buffer) => text.toString().trimEnd().split("\n");

test("it shows the same records of a file, of standard input and of an object store", async () => {
  const files: readonly (readonly [string, Uint8Array | undefined])[] = [
    ["in.csv.gz", undefined],
    ["-", gzipSync(csv)],
    ["s3://in/a/*.gz", undefined],
  ];
  for (const [file, input] of files) {
    const { code, stdout, stderr } = await head([file], input);
    expect(code, stderr).toBe(0);
    const [first, ...others] = linesOf(stdout);
    expect([first!.split("  ").at(-1), ...others]).toEqual(shown);
  }
  const some = await head(["in.csv.gz", "-n", "1"]);
  expect(linesOf(some.stdout)).toHaveLength(2);
}, 60_000);

test("bad records are shown with what is wrong, and what is in them can't control a terminal", async () => {
  const { code, stdout } = await head(["--format", "ndjson", "-"], '{"a":1}\n{"a":"\u202e" x}\n{"a":3}\n');
  expect(code).toBe(0);
  const text = stdout.toString();
  expect(text).toMatch(/^ {7}8 {2}bad the line is not JSON.* {2}\| .*\\u202e/m);
  expect(text).toMatch(/^ {6}2\d {2}\{ a: 3 \}/m);
  const colours = await head(["--format", "text", "-"], "\x1b[2Jred\n");
  expect(linesOf(colours.stdout).at(-1)).toMatch(/^ {7}0 {2}"\\u001b\[2Jred"$/);
  for (const character of ["\x1b", "\u202e"]) expect(text).not.toContain(character);
}, 60_000);

test("a job's input shows what its own format refuses, and the offsets are those of replay", async () => {
  writeFileSync(
    join(folder.path, "job.ts"),
    `import { csv, defineJob, tsv, uint, utf8 } from "millrace";
export default defineJob({ name: "job", input: csv({ columns: { id: uint } }), key: uint, value: utf8, map: (row, emit) => emit(row.id, "x"), reduce: (id, _, emit) => emit([id]), output: tsv() });
`,
  );
  writeFileSync(join(folder.path, "bad.csv"), "id,n\n1,2\nx,3\n4,5\n");
  const { code, stdout, stderr } = await head(["--job", "job.ts", "bad.csv"]);
  expect(code, stderr).toBe(0);
  expect(linesOf(stdout)).toEqual([
    "bad.csv  as job reads it",
    "       5  { id: 1 }",
    expect.stringMatching(/^ {7}9 {2}bad column "id": uint reads .* {2}\| "x,3/),
    "      13  { id: 4 }",
  ]);
}, 60_000);

test("what can't be read is refused with 3, and wrong words with 2", async () => {
  const binary = await head(["-"], Buffer.from("89504e470d0a1a0a0000", "hex"));
  expect([binary.code, binary.stderr]).toEqual([3, expect.stringContaining("zero bytes")]);
  const missing = await head(["nothing.csv"]);
  expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining("there is no file")]);
  const both = await head(["in.csv.gz", "--job", "job.ts", "--format", "csv"]);
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("--job")]);
}, 60_000);
