import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { repository } from "../../../test/support/cli.ts";
import { checkTypes } from "./types.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folderWith(files: Readonly<Record<string, string>>, withCompiler = true): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-types-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  if (!withCompiler) return folder;
  mkdirSync(join(folder, "node_modules"));
  const compiler = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
  symlinkSync(compiler, join(folder, "node_modules/typescript"));
  symlinkSync(repository, join(folder, "node_modules/millrace"));
  return folder;
}

const check = (folder: string, name: string) =>
  checkTypes(join(folder, name), folderWith({}, false), new AbortController().signal);

test("errors are shown with their place, by the rules that fit what a job is bundled with", async () => {
  const job =
    'import { one } from "./other.ts";\nexport default one satisfies number;\nexport const n: number = "1";\n';
  const folder = folderWith({ "job.ts": job, "other.ts": "export const one: number = 1;\n" });
  expect(await check(folder, "job.ts")).toEqual({
    name: "types",
    outcome: "failed",
    note: "1 error",
    details: ["job.ts(3,14): error TS2322: Type 'string' is not assignable to type 'number'."],
  });
});

test("a tsconfig.json beside the job or above it counts, whatever it is for", async () => {
  const config = '{ "include": ["nowhere"], "compilerOptions": { "strict": false, "composite": true } }';
  const folder = folderWith({ "job.ts": "export default (a) => a;\n", "tsconfig.json": config });
  expect(await check(folder, "job.ts")).toMatchObject({ outcome: "ok" });
});

test("where millrace itself can't be found nothing can be said of types", async () => {
  const folder = folderWith({ "job.ts": 'import "millrace";\n' });
  rmSync(join(folder, "node_modules/millrace"));
  expect(await check(folder, "job.ts")).toMatchObject({
    outcome: "skipped",
    note: expect.stringContaining("the package millrace is not installed"),
  });
});

test("without a compiler in reach, and for a job in JavaScript, it is skipped and says why", async () => {
  const folder = folderWith({ "job.ts": "", "job.mjs": "" }, false);
  expect(await check(folder, "job.ts")).toMatchObject({
    outcome: "skipped",
    note: expect.stringContaining("typescript is not installed"),
  });
  expect(await check(folder, "job.mjs")).toMatchObject({ outcome: "skipped" });
});
