import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MillraceError } from "../../base/error.ts";
import type { Blobs } from "../../protocol/services.ts";
import { bundleUpload, sideFileUpload, upload } from "./upload.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "millrace-upload-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const digestOf = (content: string) => createHash("sha256").update(content).digest("hex");

function file(content: string): string {
  const path = join(folder, "file");
  writeFileSync(path, content);
  return path;
}

/** As the master's: content is checked against its name. */
function blobs() {
  const held = new Map<string, string>();
  const store: Blobs = {
    has: async (sha256) => held.has(sha256),
    async put(sha256, content) {
      const parts: Uint8Array[] = [];
      for await (const part of content) parts.push(part);
      const text = Buffer.concat(parts).toString();
      if (digestOf(text) !== sha256) throw new MillraceError("corrupt-run", "the content is another");
      held.set(sha256, text);
    },
    get: async () => expect.unreachable("nobody reads here"),
  };
  return { store, held };
}

it("sends a file that is not there yet, once", async () => {
  const { store, held } = blobs();
  const path = file("code");
  await upload(store, bundleUpload(path, digestOf("code")));
  expect([...held.values()]).toEqual(["code"]);
  await upload({ ...store, put: async () => expect.unreachable("it is there") }, bundleUpload(path, digestOf("code")));
});

it("refuses what is too large before it sends any of it", async () => {
  const { store } = blobs();
  const path = file("x".repeat(100));
  const small = { ...sideFileUpload("stop", path, digestOf("x".repeat(100))), bytesMax: 99 };
  await expect(upload(store, small)).rejects.toMatchObject({
    code: "over-limit",
    message: `the side file stop (${path}) has 100 B, and at most 99 B are sent to a cluster: make it smaller, or read it as an input`,
  });
});

it("says so when a side file is changed while it is sent", async () => {
  const { store } = blobs();
  const path = file("new");
  await expect(upload(store, sideFileUpload("stop", path, digestOf("old")))).rejects.toMatchObject({
    code: "input-changed",
    message: `the side file stop (${path}) was changed while it was sent: run the command again`,
  });
});

it("is sent again from its beginning when the connection breaks, some times", async () => {
  const { store, held } = blobs();
  const path = file("code");
  let breaks = 2;
  const put: Blobs["put"] = async (...given) => {
    if (breaks-- > 0) throw new MillraceError("unreachable", "reset", { retry: "same" });
    await store.put(...given);
  };
  await upload({ ...store, put }, bundleUpload(path, digestOf("code")));
  expect([...held.values()]).toEqual(["code"]);
  held.clear();
  breaks = 99;
  await expect(upload({ ...store, put }, bundleUpload(path, digestOf("code")))).rejects.toMatchObject({
    code: "unreachable",
  });
});
