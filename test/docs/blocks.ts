// Does what a page says, block after block, in one folder: as its reader types it.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildSync } from "esbuild";
import { expect } from "vitest";
import type { Fence } from "./fences.ts";

/** What is installed in a reader's folder, and what stands in the environment. */
export interface Place {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Performs the blocks of a page that can be: what a block of shell shows must be what the page shows below it. */
export function perform(fences: readonly Fence[], place: Place): void {
  let said = "";
  for (const fence of fences) {
    if (fence.reason !== undefined) continue;
    if (fence.language === "sh") said = runInShell(fence, place);
    else if (fence.language === "ts") writeModule(fence, place);
    else expect(said, `${fence.page}:${fence.line}`).toMatch(shownBy(fence));
  }
}

function runInShell(fence: Fence, { folder, env }: Place): string {
  const options = { cwd: folder, encoding: "utf8", timeout: 60_000, env: { ...env, NO_COLOR: "1" } } as const;
  const result = spawnSync("bash", ["-uo", "pipefail", "-c", fence.code], options);
  expect(result.status, `${fence.page}:${fence.line}\n${result.stdout}\n${result.stderr}`).toBe(fence.exits);
  return result.stdout + result.stderr;
}

/** A module is saved under its name; a test is run too. */
function writeModule(fence: Fence, { folder, env }: Place): void {
  expect(fence.file, `${fence.page}:${fence.line}: a ts fence needs file=NAME`).toBeDefined();
  const file = join(folder, fence.file!);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, fence.code);
  if (!fence.file!.endsWith(".test.ts")) return;
  const bundled = file.replace(/\.ts$/, ".mjs");
  buildSync({
    entryPoints: [file],
    outfile: bundled,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    logLevel: "silent",
  });
  const result = spawnSync(process.execPath, [bundled], { cwd: folder, encoding: "utf8", timeout: 60_000, env });
  expect(result.status, `${fence.page}:${fence.line}\n${result.stdout}\n${result.stderr}`).toBe(0);
}

/** Lines that stand together in an output; a line of "…" is any lines, and at the end of a line the rest of it. */
function shownBy({ code }: Fence): RegExp {
  const lines = code
    .trimEnd()
    .split("\n")
    .map((line) => {
      if (line.trim() === "…") return "(?:.*\\n)*?";
      const [, text, rest] = /^(.*?)(…)?$/.exec(line)!;
      return `${text!.trimEnd().replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}${rest === undefined ? "[ \\t]*" : ".*"}\\n`;
    });
  return new RegExp(`^${lines.join("")}`, "m");
}
