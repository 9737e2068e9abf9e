// Builds dist/: a few bundles for Node (esbuild, which the product needs anyway) and the declarations (types.mjs).
// `--if-stale` does nothing when dist/ is newer than every source file: that is how `npm start` stays fast.

import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { lineMap } from "./line-map.mjs";

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
const declared = new Promise((resolve) => {
  const child = spawn(process.execPath, [join(root, "scripts/types.mjs"), next], { stdio: ["ignore", 2, 2] });
  child.on("close", resolve);
});
const entries = {
  index: "src/index.ts",
  testing: "src/testing.ts",
};
/** Source maps say only the file of what is in a package: the places in it would be a tenth of what is packed. */
const withoutPlaces = {
  name: "packages without places",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, ({ path }) => {
      const map = JSON.stringify({ version: 3, sources: [basename(path)], names: [], mappings: "AAAA" });
      const comment = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}`;
      return { contents: `${readFileSync(path, "utf8")}\n${comment}\n`, loader: "js" };
    });
  },
};
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20",
  // Small packages of many files are bundled: loading @bufbuild/protobuf file by file takes 55 ms, from a bundle 6.
  external: ["classic-level", "esbuild", "tinyglobby", "@bokuweb/zstd-wasm"],
  metafile: true,
  plugins: [withoutPlaces],
  sourcemap: "linked",
  sourcesContent: false,
  logLevel: "warning",
  // Less to parse at every start of a command or a slot; names stay, for the stacks of bug reports.
  minifyWhitespace: true,
  minifySyntax: true,
};
const made = [];
made.push(
  await build({
    ...common,
    entryPoints: entries,
    outdir: next,
    splitting: true,
    format: "esm",
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    chunkNames: "chunks/[name]-[hash]",
  }),
);
// The programs are one script each, which V8 compiles once for all processes (src/boot.ts).
const programs = { cli: "src/cli/main.ts", slot: "src/slot/main.ts", look: "src/master/look/main.ts" };
made.push(
  await build({
    ...common,
    entryPoints: programs,
    outdir: join(next, "program"),
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    define: { "import.meta.url": "bundleUrl" },
    supported: { "dynamic-import": false }, // of what is in it, or can be required: see job/load/import-module.ts
  }),
);
made.push(
  await build({
    ...common,
    entryPoints: { boot: "src/boot.ts" },
    outdir: next,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
  }),
);
for (const name of Object.keys(programs)) {
  // V8 tells sources apart by their lengths: the name of a cache says what it was made of.
  const code = readFileSync(join(next, "program", `${name}.cjs`));
  const digest = createHash("sha256").update(code).digest("hex").slice(0, 16);
  writeFileSync(join(next, `${name}.cjs`), `require("./boot.cjs").boot(__dirname, "${name}", "${digest}");\n`);
}
for (const path of readdirSync(next, { recursive: true }).filter((path) => path.endsWith(".map"))) {
  const map = JSON.parse(readFileSync(join(next, path), "utf8"));
  writeFileSync(join(next, path), JSON.stringify(lineMap(map)));
}
for (const module of ["kernel/kernel.wasm", "format/json.wasm"])
  cpSync(join(root, "src", module), join(next, basename(module)));
compileOnce();
if ((await declared) !== 0) throw new Error("the declarations can't be made; dist/ is as it was");
writeFileSync(join(next, ".built"), `${JSON.stringify({ bundled: bundled(made) }, undefined, 1)}\n`);
const old = join(root, `.dist-old-${process.pid}`);
if (existsSync(dist)) renameSync(dist, old);
renameSync(next, dist);
rmSync(old, { recursive: true, force: true });

/** The folders of other people's packages that are in the bundles, with the files of them that are. */
function bundled(results) {
  const paths = results.flatMap(({ metafile }) =>
    Object.values(metafile.outputs).flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
    ),
  );
  const folders = {};
  for (const path of [...new Set(paths)].sort()) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
    if (folder !== undefined) (folders[folder] ??= []).push(path);
  }
  return folders;
}

/** A job of two words: what it runs of the programs is in their caches then. */
function compileOnce() {
  const scratch = mkdtempSync(join(tmpdir(), "millrace-build-"));
  try {
    const job = join(scratch, "job.ts");
    writeFileSync(
      job,
      `import { defineJob, sum, text, uint, utf8, words } from "millrace";
export default defineJob({ name: "warm", input: text(), key: utf8, value: uint, map(line, emit) { emit(line, 1); }, combine: sum });`,
    );
    writeFileSync(join(scratch, "in.txt"), "two words\n");
    const words = ["run", job, join(scratch, "in.txt"), "-o", join(scratch, "out"), "--work-dir", scratch];
    execFileSync(process.execPath, [join(next, "cli.cjs"), ...words], { stdio: "pipe" });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
