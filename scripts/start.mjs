// `npm start`: builds when the sources are newer, counts the words of the books, and shows the ten most frequent ones.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const output = join("out", "word-count");

if (!existsSync(join(root, "node_modules"))) {
  console.error("run `npm ci` first: node_modules is missing");
  process.exit(2);
}
const build = spawnSync(process.execPath, [join(root, "scripts/build.mjs"), "--if-stale"], {
  cwd: root,
  stdio: "inherit",
});
if (build.status !== 0) process.exit(build.status ?? 1);

const words = [
  "run",
  "examples/word-count.ts",
  "examples/data/books/*.txt",
  "-o",
  output,
  "--overwrite",
  ...process.argv.slice(2),
];
console.error(`$ millrace ${words.map((word) => (/[*?\s]/.test(word) ? `'${word}'` : word)).join(" ")}\n`);
const run = spawnSync(process.execPath, [join(root, "bin/millrace.js"), ...words], { cwd: root, stdio: "inherit" });
if (run.status !== 0) process.exit(run.status ?? 1);

const rows = readdirSync(join(root, output))
  .filter((name) => name.startsWith("part-"))
  .flatMap((name) =>
    readFileSync(join(root, output, name), "utf8")
      .trimEnd()
      .split("\n"),
  )
  .map((line) => line.split("\t"))
  .sort(([, a], [, b]) => Number(b) - Number(a));
console.log("\nthe ten most frequent words:");
for (const [word, n] of rows.slice(0, 10)) console.log(`  ${n.padStart(7)}  ${word}`);
