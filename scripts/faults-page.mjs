// docs/faults.md, made from scripts/faults/definitions.md and the names of the tests. `--check` writes nothing: it
// fails where a number is cited that no row defines, where a row has no test and is not allowed to have none, and where
// the page is not current. `--root DIR` looks at another folder than this repository.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkNumbers, pagePath } from "./faults/check.mjs";

const { values } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    root: { type: "string", default: dirname(dirname(fileURLToPath(import.meta.url))) },
  },
});
const path = join(values.root, pagePath);
const { page, problems } = await checkNumbers(values.root);

for (const problem of problems) console.error(problem);
if (!values.check) writeFileSync(path, page);
const isCurrent = existsSync(path) && readFileSync(path, "utf8") === page;
if (!isCurrent) console.error(`${pagePath} is not what the definitions and the names of tests say: run npm run docs`);
process.exitCode = isCurrent && problems.length === 0 ? 0 : 1;
