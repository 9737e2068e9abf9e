import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { interposedFs, systemError } from "../../test/conformance/faulty-fs.ts";
import { detectCompression } from "../format/compression/compress.ts";
import { text } from "../format/lines/text.ts";
import { createLocalStorage } from "../storage/local/local.ts";
import type { Storage } from "../storage/storage.ts";
import { readSplit } from "./read-split.ts";
import { resolveInputs } from "./resolve.ts";
import { planSplits } from "./split.ts";

let root: string;
beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), "millrace-input-"))}/`;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function resolve(inputs: Readonly<Record<string, readonly string[]>>, storage: Storage = createLocalStorage()) {
  return resolveInputs({
    storage,
    inputs: Object.entries(inputs).map(([name, paths]) => ({ name, paths: paths.map((path) => root + path) })),
    directory: "/",
    detectCompression,
  });
}

function put(...names: string[]): void {
  for (const name of names) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(root + name, name);
  }
}

const namesOf = (files: readonly { readonly path: string }[]) => files.map((file) => file.path.slice(root.length));

test("arguments keep their order, the files of each are in the order of their bytes", async () => {
  put("z/2", "z/10", "a/1", "m");
  expect(namesOf(await resolve({ "": ["z", "m", "a/*"] }))).toEqual(["z/10", "z/2", "m", "a/1"]);
});

test("a file that two arguments name is read once, where the first names it; two inputs both read it", async () => {
  put("a", "b", "c");
  expect(namesOf(await resolve({ "": ["c", "*", "a"] }))).toEqual(["c", "a", "b"]);
  const files = await resolve({ users: ["a", "b"], orders: ["b"] });
  expect(files.map(({ path, input }) => [path.slice(root.length), input])).toEqual([
    ["a", 0],
    ["b", 0],
    ["b", 1],
  ]);
});

test("fault 69: an argument that names nothing is refused with what to look at", async () => {
  put("a.txt");
  mkdirSync(`${root}empty`);
  writeFileSync(`${root}empty/_hidden`, "");
  const refused = (path: string, message: RegExp) =>
    expect(resolve({ "": ["a.txt", path] })).rejects.toMatchObject({
      code: "no-input",
      message: expect.stringMatching(message),
    });
  await refused("*.csv", /no file matches ".*\*\.csv"/);
  await refused("b.txt", /there is no file ".*b\.txt".*spelling/);
  await refused("empty", /a directory without files.*begin with \. or _/);
  await expect(resolve({ users: ["a.txt"], orders: [] })).rejects.toMatchObject({
    code: "wrong-usage",
    message: expect.stringContaining('input "orders"'),
  });
  const nothing: Storage = { ...createLocalStorage(), list: async () => [] };
  const url = resolveInputs({
    storage: nothing,
    inputs: [{ name: "", paths: ["s3://bucket/key"] }],
    directory: "/",
    detectCompression,
  });
  await expect(url).rejects.toMatchObject({
    code: "no-input",
    message: expect.stringContaining('no object matches "s3://bucket/key"'),
  });
});

test("compression is known by content, not by name", async () => {
  writeFileSync(`${root}plain.gz`, "not compressed");
  writeFileSync(`${root}zipped`, gzipSync("x"));
  writeFileSync(`${root}zst`, Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0));
  writeFileSync(`${root}empty`, "");
  expect((await resolve({ "": ["*"] })).map((file) => file.compression)).toEqual(["none", "none", "gzip", "zstd"]);
});

test("fault 75: a file that may not be read is refused while planning, by name and user", async () => {
  put("a", "secret");
  const fs = interposedFs(({ name, args }) => {
    if (name === "openSync" && String(args[0]).endsWith("secret")) throw systemError("EACCES");
  });
  await expect(resolve({ "": ["*"] }, createLocalStorage({ fs }))).rejects.toMatchObject({
    code: "bad-input",
    message: expect.stringMatching(/secret can't be read by user/),
  });
});

test("the same file under two names is two files", async () => {
  put("a");
  symlinkSync(`${root}a`, `${root}b`);
  expect(namesOf(await resolve({ "": ["*"] }))).toEqual(["a", "b"]);
});

test("an aborted signal ends planning", async () => {
  put("a");
  const given = {
    storage: createLocalStorage(),
    inputs: [{ name: "", paths: [`${root}a`] }],
    directory: "/",
    detectCompression,
    signal: AbortSignal.abort(),
  };
  await expect(resolveInputs(given)).rejects.toMatchObject({ code: "cancelled" });
});

test("fault 76: thousands of tiny files are listed, planned and read in moments, one open at a time", async () => {
  const count = 10_000;
  for (let d = 0; d < 100; d++) {
    mkdirSync(`${root}many/${d}`, { recursive: true });
    for (let f = 0; f < count / 100; f++) writeFileSync(`${root}many/${d}/${f}`, `${d}.${f}\n`);
  }
  let open = 0;
  let openMost = 0;
  const fs = interposedFs(({ name }) => {
    if (name === "openSync") openMost = Math.max(openMost, ++open);
    if (name === "closeSync") open--;
  });
  const storage = createLocalStorage({ fs });
  const files = await resolve({ "": ["many"] }, storage);
  const splits = await planSplits({ storage, files, formatOf: () => text(), splitBytes: undefined });
  expect(splits.length).toBeLessThan(5);
  let records = 0;
  for (const split of splits) {
    const options = {
      split,
      files,
      formatOf: () => text(),
      storage,
      decompress: () => expect.unreachable(),
      signal: new AbortController().signal,
    };
    for await (const { batch } of readSplit(options)) records += batch.records.length;
  }
  expect(records).toBe(count);
  expect(openMost).toBe(1);
});

test("a file is called as its argument calls it: relative, absolute, - for standard input, or by a FIFO that it was read from", async () => {
  put("in/a.txt");
  put("spooled");
  const files = await resolveInputs({
    storage: createLocalStorage(),
    inputs: [{ name: "", paths: ["/dev/fd/63", "in/*.txt", `${root}in/../in/a.txt`, "-"] }],
    directory: root,
    spooled: { standardInput: `${root}spooled`, spooled: [{ given: "/dev/fd/63", path: `${root}in/a.txt` }] },
    detectCompression,
  });
  expect(files.map(({ source }) => source)).toEqual(["/dev/fd/63", "-"]);
  const absolute = await resolve({ "": ["in/a.txt"] });
  expect(absolute.map(({ source }) => source)).toEqual([`${root}in/a.txt`]);
});
