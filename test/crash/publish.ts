// The output of a local run: as before, or complete; complete from the moment that this was said.
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { encodeManifest } from "../../src/storage/manifest.ts";
import { newContents } from "./publish-contents.ts";
import type { Scene } from "./scene.ts";

const oldPart = "old\n";

function scene(kind: "new" | "overwrite"): Scene {
  return {
    name: `publish, ${kind}`,
    victim: "publish",
    async prepare(folder) {
      if (kind === "new") return;
      mkdirSync(join(folder, "out"));
      writeFileSync(join(folder, "out/part-00000.tsv"), oldPart);
      writeFileSync(join(folder, "out/_SUCCESS"), oldManifest);
    },
    words: (folder, victims) => [victims.script("publish"), folder, kind],
    async check(folder, said, isOver) {
      const found = contentsOf(join(folder, "out"));
      const before = kind === "new" ? undefined : { _SUCCESS: oldManifest, "part-00000.tsv": oldPart };
      const after = { _SUCCESS: "the manifest\n", ...newContents };
      const isComplete = isSame(found, after);
      // Between two renames of `--overwrite` there is no output under its name; the old one lies aside.
      const isGoingOn = isSame(found, before) || (found === undefined && !said.includes("published"));
      assert(isComplete || isGoingOn, `the output is neither as before nor complete: ${Object.keys(found ?? {})}`);
      assert(isComplete || !said.includes("published"), "the output was said to be published, and is not");
      assert(existsSync(join(folder, "../decided.json")) || !said.includes("decided"), "the decision is gone");
      if (!isOver) return;
      assert(isComplete, "the output is not complete");
      assert.deepEqual(readdirSync(folder).sort(), ["out"], "something is left behind");
    },
    codes: {
      ENOSPC: ["no-space"],
      EIO: ["io-error"],
      EMFILE: ["io-error"],
      EROFS: ["wrong-usage", "io-error"],
    },
  };
}

export const publishScenes: readonly Scene[] = [scene("new"), scene("overwrite")];

const oldManifest = Buffer.from(
  encodeManifest({
    job: { name: "old", id: "f".repeat(32), bundle: "00", params: "00", startedAt: "2026-01-01T00:00:00.000Z" },
    partitions: 1,
    files: [{ name: "part-00000.tsv", output: "", bytes: oldPart.length, records: 1, sha256: "0".repeat(64) }],
    counters: {},
    stats: { inputBytes: 0, map: {}, reduce: {} },
    versions: { millrace: "0.0.0", node: "20" },
  } as Parameters<typeof encodeManifest>[0]),
).toString();

/** All files below a folder, by name; undefined where there is none. */
function contentsOf(directory: string): Record<string, string> | undefined {
  if (!existsSync(directory)) return undefined;
  const found: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    if (lstatSync(path).isFile()) found[relative(directory, path)] = readFileSync(path, "utf8");
  }
  return found;
}

function isSame(a: Readonly<Record<string, string>> | undefined, b: Readonly<Record<string, string>> | undefined) {
  if (a === undefined || b === undefined) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
