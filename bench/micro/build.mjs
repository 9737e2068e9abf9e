// Micro-benchmarks run the product's sources, bundled.
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");

/**
 * Bundles bench/micro/NAME.bench.ts into a folder and returns the file; `plugins` are esbuild's, `wasm` another kernel.
 */
export async function buildBench(name, { folder, plugins = [], wasm = join(root, "src/kernel/kernel.wasm") }) {
  const outfile = join(folder, `${name}.bench.mjs`);
  mkdirSync(folder, { recursive: true });
  if (wasm !== join(folder, "kernel.wasm")) copyFileSync(wasm, join(folder, "kernel.wasm"));
  copyFileSync(join(root, "src/format/json.wasm"), join(folder, "json.wasm"));
  await build({
    entryPoints: [join(here, `${name}.bench.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    alias: { millrace: join(root, "src/index.ts") },
    plugins,
  });
  return outfile;
}
