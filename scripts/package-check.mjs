// What `npm pack` would ship: builds it, lists the files, and lets publint read the package. Installing it is tried in
// test/package.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
execFileSync(process.execPath, [join(root, "scripts/build.mjs")], { stdio: "inherit" });
const problems = [];
/** What it may weigh, packed: everyone who installs it waits for it, and so does everyone who runs it with npx. */
const packedBytesMax = 2_000_000;

const { messages } = await publint({ pkgDir: root, strict: true });
const pkg = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
for (const message of messages) problems.push(formatMessage(message, pkg));

const listed = JSON.parse(
  execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }),
);
const packed = Array.isArray(listed) ? listed[0] : Object.values(listed)[0];
const files = packed.files.map((file) => file.path);
if (packed.size > packedBytesMax) problems.push(`the package has ${packed.size} bytes, more than ${packedBytesMax}`);
for (const needed of [
  "bin/millrace.js",
  "dist/index.js",
  "dist/testing.js",
  "bin/package.json",
  "dist/boot.cjs",
  "dist/cli.cjs",
  "dist/slot.cjs",
  "dist/program/cli.cjs",
  "dist/program/slot.cjs",
  "dist/kernel.wasm",
  "dist/json.wasm",
  "dist/index.d.ts",
  "dist/testing.d.ts",
  "LICENSE",
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
  "THIRD-PARTY-NOTICES",
  "docs/guide.md",
  "examples/word-count.ts",
]) {
  if (!files.includes(needed)) problems.push(`missing from the package: ${needed}`);
}
for (const file of files) if (file.endsWith(".cache")) problems.push(`of this machine's Node only: ${file}`);
for (const file of files)
  if (/\.test\.|^test\/|^src\/|^examples\/data\//.test(file))
    problems.push(`does not belong into the package: ${file}`);

// Whose code is in the bundles, as their source maps know it, each with a notice of its own.
const notices = readFileSync(join(root, "THIRD-PARTY-NOTICES"), "utf8");
const sources = files
  .filter((file) => file.endsWith(".map"))
  .flatMap((file) => JSON.parse(readFileSync(join(root, file), "utf8")).sources);
const bundled = new Set(sources.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
if (bundled.size === 0) problems.push("no source map names a bundled package");
for (const name of bundled)
  if (!notices.includes(`\n${name} `)) problems.push(`THIRD-PARTY-NOTICES lacks ${name}: run \`npm run docs\``);

// Every dependency must be named by a bundle: by import, or by require where that is faster.
const code = files
  .filter((path) => /\.c?js$/.test(path))
  .map((path) => readFileSync(join(root, path), "utf8"))
  .join("\n");
for (const name of Object.keys(pkg.dependencies)) {
  if (!code.includes(`"${name}"`)) problems.push(`dependency that nothing imports: ${name}`);
}
if (
  existsSync(join(root, "package-lock.json")) &&
  /"resolved": "http/.test(readFileSync(join(root, "package-lock.json"), "utf8"))
)
  problems.push("package-lock.json names a registry");

for (const problem of problems) console.log(problem);
process.exit(problems.length === 0 ? 0 : 1);
