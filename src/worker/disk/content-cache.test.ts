import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { MillraceError } from "../../base/error.ts";
import { ContentCache, type ContentCacheOptions } from "./content-cache.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-cache-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/** A master's blobs, in memory; counts what is fetched. */
class FakeBlobs {
  readonly fetched: string[] = [];
  readonly #contents = new Map<string, string>();

  put(text: string, name = digest(text)): string {
    this.#contents.set(name, text);
    return name;
  }

  async get(sha256: string): Promise<AsyncIterable<Uint8Array>> {
    this.fetched.push(sha256);
    const text = this.#contents.get(sha256);
    if (text === undefined) throw new MillraceError("bad-input", "there is no such blob");
    return (async function* () {
      for (const piece of [text.slice(0, 3), text.slice(3)]) yield Buffer.from(piece);
    })();
  }
}

function make(options: Partial<ContentCacheOptions> = {}) {
  const blobs = new FakeBlobs();
  const clock = new FakeClock();
  const bounds = { unusedBytesMax: 1000, unusedMs: 1000, fileBytesMax: 100 };
  return { blobs, clock, cache: new ContentCache({ directory, suffix: ".mjs", blobs, clock, ...bounds, ...options }) };
}

test("a content is fetched once, however many ask for it at once and later", async () => {
  const { blobs, cache } = make();
  const name = blobs.put("export default 1");
  const paths = await Promise.all(["a", "b", "a"].map((job) => cache.get(name, job)));
  expect(new Set(paths)).toEqual(new Set([join(directory, `${name}.mjs`)]));
  expect(readFileSync(paths[0]!, "utf8")).toBe("export default 1");
  expect(statSync(paths[0]!).mode & 0o777).toBe(0o600);
  await cache.get(name, "c");
  expect(blobs.fetched).toHaveLength(1);
});

test("a later start finds it again, and removes what was half received", async () => {
  const first = make();
  const name = first.blobs.put("abcdef");
  await first.cache.get(name, "j");
  writeFileSync(join(directory, ".new-1"), "abc");
  const { blobs, cache } = make();
  expect(readdirSync(directory)).toEqual([`${name}.mjs`]);
  await cache.get(name, "j");
  expect(blobs.fetched).toEqual([]);
});

test("a file that was changed here is not given to the next job", async () => {
  const { blobs, cache } = make();
  const name = blobs.put("abcdef");
  const path = await cache.get(name, "a");
  writeFileSync(path, "ABCDEF");
  await cache.get(name, "b");
  expect(readFileSync(path, "utf8")).toBe("abcdef");
  expect(blobs.fetched).toHaveLength(2);
});

test("what is not what was asked for is refused, and leaves nothing", async () => {
  const { blobs, cache } = make();
  const wrong = blobs.put("something else", digest("abcdef"));
  await expect(cache.get(wrong, "j")).rejects.toMatchObject({ code: "corrupt-run" });
  const long = blobs.put("x".repeat(101));
  await expect(cache.get(long, "j")).rejects.toMatchObject({ code: "over-limit" });
  await expect(cache.get(digest("none"), "j")).rejects.toMatchObject({ code: "bad-input" });
  await expect(cache.get("../../etc/passwd", "j")).rejects.toMatchObject({ code: "wrong-usage" });
  expect(readdirSync(directory)).toEqual([]);
  blobs.put("abcdef");
  await cache.get(digest("abcdef"), "j"); // a failure is not remembered
});

test("I13: unused files go by age and beyond a bound, the longest unused first; used ones stay", async () => {
  const { blobs, clock, cache } = make({ unusedBytesMax: 10 });
  const names = ["used", "old", "older", "newest"].map((text) => blobs.put(text.padEnd(6, ".")));
  const [used, old, older, newest] = names.map((name) => join(directory, `${name}.mjs`));
  for (const name of names) await cache.get(name, "j");
  cache.release("j");
  await cache.get(names[0]!, "k");
  for (const [path, age] of [
    [old!, 2],
    [older!, 3],
    [newest!, 1],
  ] as const) {
    utimesSync(path, new Date(10 - age), new Date(10 - age));
  }
  await cache.sweep();
  expect([used, old, older, newest].map((path) => existsSync(path!))).toEqual([true, false, false, true]);
  await clock.pass(2000);
  await cache.sweep();
  expect([used, newest].map((path) => existsSync(path!))).toEqual([true, false]);
});
