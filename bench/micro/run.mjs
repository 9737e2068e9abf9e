// Runs a micro-benchmark: `node bench/micro/run.mjs kernel [case]` bundles bench/micro/kernel.bench.ts into bench/.work and runs it.
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const work = join(dirname(here), ".work");
const [name = "kernel"] = process.argv.slice(2);
const outfile = join(work, `${name}.bench.mjs`);
mkdirSync(work, { recursive: true });
copyFileSync(join(here, "../../src/kernel/kernel.wasm"), join(work, "kernel.wasm"));
await build({
  entryPoints: [join(here, `${name}.bench.ts`)],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  alias: { millrace: join(here, "../../src/index.ts") },
});
await import(outfile);
