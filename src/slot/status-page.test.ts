import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { parseStatusPage, readStatusPage, StatusPageFile } from "./status-page.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-page-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("what an attempt wrote last is what the agent reads", () => {
  const path = join(directory, "a");
  const page = new StatusPageFile(path);
  page.begin({ epoch: 3, attempt: 9 });
  expect(readStatusPage(path)).toMatchObject({ epoch: 3, attempt: 9, phase: "setup", records: 0, at: undefined });
  page.write({ phase: "map", records: 12, bytes: 2 ** 40, at: { file: 7, offset: 2 ** 33 } });
  expect(readStatusPage(path)).toEqual({
    epoch: 3,
    attempt: 9,
    phase: "map",
    records: 12,
    bytes: 2 ** 40,
    at: { file: 7, offset: 2 ** 33 },
    beats: 2,
  });
  page.close();
});

test("a page that says the same again differs in its beats: a sign of life", () => {
  const path = join(directory, "b");
  const page = new StatusPageFile(path);
  page.begin({ epoch: 1, attempt: 1 });
  page.write({ phase: "reduce", records: 5, bytes: 6, at: undefined });
  const before = readStatusPage(path)!;
  page.write({ phase: "reduce", records: 5, bytes: 6, at: undefined });
  expect(readStatusPage(path)).toEqual({ ...before, beats: before.beats + 1 });
  page.close();
});

test("a key is there as long as the page says it, and no longer", () => {
  const path = join(directory, "keyed");
  const page = new StatusPageFile(path);
  page.begin({ epoch: 1, attempt: 1 });
  const status = { phase: "reduce", records: 5, bytes: 6, at: { file: 1, offset: 2 } } as const;
  for (const key of ['"the"', '"漢字"', `"${"x".repeat(62)}"`]) {
    page.write({ ...status, key });
    expect(readStatusPage(path)).toMatchObject({ ...status, key });
  }
  page.write(status);
  expect(readStatusPage(path)).not.toHaveProperty("key");
  expect(readStatusPage(path)).toMatchObject(status);
  page.begin({ epoch: 1, attempt: 2 });
  expect(readStatusPage(path)).toMatchObject({ attempt: 2, phase: "setup" });
  page.close();
});

test("S6: a key that could control a terminal goes no further, and the rest of the page does", () => {
  const path = join(directory, "hostile");
  const page = new StatusPageFile(path);
  page.begin({ epoch: 1, attempt: 1 });
  page.write({ phase: "reduce", records: 5, bytes: 6, at: undefined, key: "\u001b[2J" });
  expect(readStatusPage(path)).toMatchObject({ phase: "reduce", records: 5 });
  expect(readStatusPage(path)).not.toHaveProperty("key");
  page.close();
});

test.each([
  ["without a key", undefined],
  ["with a key", '"the"'],
])("a page with any byte changed is not taken for a page: %s", (_, key) => {
  const path = join(directory, `c ${key}`);
  const file = new StatusPageFile(path);
  file.begin({ epoch: 1, attempt: 2 });
  file.write({ phase: "sort", records: 1, bytes: 2, at: { file: 3, offset: 4 }, ...(key !== undefined && { key }) });
  file.close();
  const written = readFileSync(path);
  expect(parseStatusPage(written)?.phase).toBe("sort");
  fc.assert(
    fc.property(fc.nat(written.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const torn = Buffer.from(written);
      torn[at] = torn[at]! ^ flip;
      expect(parseStatusPage(torn)).toBeUndefined();
    }),
  );
});

test("a checkpoint is told of beside a key, and without one", () => {
  const path = join(directory, "e");
  const page = new StatusPageFile(path);
  page.begin({ epoch: 1, attempt: 1 });
  const status = { phase: "map", records: 5, bytes: 6, at: undefined } as const;
  page.write({ ...status, hasCheckpoint: true });
  expect(readStatusPage(path)).toMatchObject({ ...status, hasCheckpoint: true });
  page.write({ ...status, hasCheckpoint: true, key: '"the"' });
  expect(readStatusPage(path)).toMatchObject({ key: '"the"', hasCheckpoint: true });
  page.write(status);
  expect(readStatusPage(path)).not.toHaveProperty("hasCheckpoint");
  page.close();
});

test("no file, and an empty file, are no page", () => {
  expect(readStatusPage(join(directory, "none"))).toBeUndefined();
  new StatusPageFile(join(directory, "empty")).close();
  expect(readStatusPage(join(directory, "empty"))).toBeUndefined();
});
