// Builds dist/: a few bundles for Node (esbuild, which the product needs anyway) and, with --types, the declarations.
// `--if-stale` does nothing when dist/ is newer than every source file: that is how `npm start` stays fast.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
const stamp = join(dist, ".built");
const flags = new Set(process.argv.slice(2));

function newest(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  return Math.max(info.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))), 0);
}
function isFresh() {
  if (!existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  return ["src", "scripts", "package.json"].every((path) => newest(join(root, path)) <= built);
}

if (flags.has("--if-stale") && isFresh()) process.exit(0);

// Built beside and moved, so that a test process that starts meanwhile never sees half a build.
const next = join(root, `.dist-${process.pid}`);
rmSync(next, { recursive: true, force: true });
mkdirSync(next, { recursive: true });
const entries = {
  index: "src/index.ts",
  testing: "src/testing.ts",
  cli: "src/cli/main.ts",
  slot: "src/worker/slot-main.ts",
};
const present = Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(join(root, path))));
await build({
  absWorkingDir: root,
  entryPoints: present,
  outdir: next,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // Small packages of many files are bundled: loading @bufbuild/protobuf file by file takes 55 ms, from a bundle 6.
  external: ["classic-level", "esbuild", "tinyglobby", "@bokuweb/zstd-wasm"],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  sourcemap: "linked",
  sourcesContent: false,
  logLevel: "warning",
  // Less to parse at every start of a command or a slot; names stay, for the stacks of bug reports.
  minifyWhitespace: true,
  minifySyntax: true,
  chunkNames: "chunks/[name]-[hash]",
});
const wasm = join(root, "src/kernel/kernel.wasm");
if (existsSync(wasm)) cpSync(wasm, join(next, "kernel.wasm"));
if (flags.has("--types")) {
  execFileSync(
    process.execPath,
    [
      join(root, "node_modules/typescript/bin/tsc"),
      "-p",
      join(root, "tsconfig.build.json"),
      "--outDir",
      join(next, "types"),
    ],
    { stdio: "inherit" },
  );
}
writeFileSync(join(next, ".built"), "");
const old = join(root, `.dist-old-${process.pid}`);
if (existsSync(dist)) renameSync(dist, old);
renameSync(next, dist);
rmSync(old, { recursive: true, force: true });
