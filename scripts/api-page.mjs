// docs/api.md, made from the doc comments of what `millrace` and `millrace/testing` export. `--check` only says whether
// the page is current.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { apiPage } from "./api/page.mjs";
import { themes } from "./api/themes.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const path = join(root, "docs/api.md");
/** It is part of the package, which everyone who installs it waits for. */
const bytesMax = 100_000;

const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const entries = ["src/index.ts", "src/testing.ts"].map((entry) => join(root, entry));
const { page, problems } = apiPage(ts.createProgram(entries, { ...options, noEmit: true }), entries, themes);

const bytes = Buffer.byteLength(page);
if (bytes > bytesMax)
  problems.push(
    `docs/api.md would have ${bytes} bytes: shorten doc comments, or raise bytesMax (${bytesMax}) in scripts/api-page.mjs`,
  );
if (problems.length === 0 && !process.argv.includes("--check")) writeFileSync(path, page);
else if (!existsSync(path) || readFileSync(path, "utf8") !== page)
  problems.push("docs/api.md is not what the doc comments say: run npm run docs");
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
