import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { pagesWherePackageIs } from "../package/matrix.ts";
import { perform } from "./blocks.ts";
import { fencesOf, isExecutable } from "./fences.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function markdownBelow(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
}

const pages = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "bench/README.md",
  ...markdownBelow("docs"),
]
  .filter((page) => existsSync(join(root, page)))
  .map((page) => ({ page, fences: fencesOf(page, readFileSync(join(root, page), "utf8")).filter(isExecutable) }));

/** How many fences can't be run; each has its reason beside it. A new one is a decision, not an accident. */
const notRunMax = 4;

const workspaces: string[] = [];
afterAll(() => {
  for (const folder of workspaces) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder in which `millrace` is installed and the examples lie, as a reader of the page has it. */
function workspace(): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-docs-"));
  workspaces.push(folder);
  cpSync(join(root, "examples"), join(folder, "examples"), { recursive: true });
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules/millrace"));
  symlinkSync(join(root, "bin/millrace.js"), join(folder, "node_modules/.bin/millrace"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  return folder;
}

/** Where installers are (`.ci/run`), test/package performs its pages with the installed package. */
const others = process.env["MILLRACE_TOOLS"] === undefined ? [] : pagesWherePackageIs;
const runnable = pages.filter(
  ({ page, fences }) => !others.includes(page) && fences.some(({ reason }) => reason === undefined),
);

it.each(runnable)(
  "the fences of $page do what the page says, in order, in one folder",
  { timeout: 240_000 },
  ({ fences }) => {
    const folder = workspace();
    const env = { ...process.env, PATH: `${join(folder, "node_modules/.bin")}:${process.env["PATH"]}` };
    perform(fences, { folder, env });
  },
);

it("few fences can't be run", () => {
  const notRun = pages.flatMap(({ fences }) => fences).filter((fence) => fence.reason !== undefined);
  console.log(notRun.map((fence) => `not run: ${fence.page}:${fence.line}: ${fence.reason}`).join("\n"));
  for (const { page, line, reason } of notRun) expect(reason?.length, `${page}:${line}`).toBeGreaterThan(10);
  expect(notRun.length).toBeLessThanOrEqual(notRunMax);
});

it("the TypeScript of all pages type-checks against the sources", () => {
  const folder = mkdtempSync(join(root, "test/docs/.types-"));
  workspaces.push(folder);
  const files: string[] = [];
  for (const { page, fences } of pages) {
    for (const fence of fences) {
      if (fence.language !== "ts" || fence.file === undefined) continue;
      const file = join(folder, page.replaceAll("/", "_").replace(/\.md$/, ""), fence.file);
      mkdirSync(dirname(file), { recursive: true });
      if (!existsSync(join(dirname(file), "examples")))
        symlinkSync(join(root, "examples"), join(dirname(file), "examples"));
      writeFileSync(file, fence.code);
      files.push(file);
    }
  }
  expect(files.length).toBeGreaterThan(0);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../../tsconfig.json",
      include: ["**/*.ts"],
      exclude: ["**/examples"],
      compilerOptions: {
        paths: { millrace: [join(root, "src/index.ts")], "millrace/testing": [join(root, "src/testing.ts")] },
      },
    }),
  );
  const result = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], {
    encoding: "utf8",
  });
  expect(result.stdout, result.stdout).toBe("");
});
