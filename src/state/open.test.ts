import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { storeConformance } from "../../test/conformance/store.ts";
import { openStateStore } from "./open.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-state-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

storeConformance("memory:", async () => ({ store: await openStateStore("memory:") }));

test("a path and a URL of the same directory are the same LevelDB", async () => {
  const directory = join(folder, "one:two");
  const store = await openStateStore(directory);
  const leading = await store.lead("a", new AbortController().signal);
  await leading.commit([{ put: { key: "k", value: new Uint8Array([7]) } }]);
  await expect(openStateStore(`leveldb:${directory}`)).rejects.toMatchObject({ code: "state-busy" });
  await store.close();
  const again = await openStateStore(`LevelDB:${directory}`);
  const found = [];
  for await (const { key, value } of again.scan("")) found.push([key, ...value]);
  await again.close();
  expect(found).toEqual([["k", 7]]);
  expect(existsSync(directory)).toBe(true);
});

test.each(["zookeeper://a:2181", "constructor:x", "s3://bucket/state", "leveldb:", "leveldb: ", ""])(
  "%j is refused by name, and nothing is made",
  async (url) => {
    await expect(openStateStore(url)).rejects.toMatchObject({
      code: "wrong-usage",
      message: expect.stringContaining("leveldb:DIR"),
    });
  },
);
