// Runs a micro-benchmark: `node bench/micro/run.mjs kernel [case]` bundles bench/micro/kernel.bench.ts into bench/.work and runs it.
import { copyFileSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const work = join(dirname(here), ".work");
const [name = "kernel"] = process.argv.slice(2);
const outfile = join(work, `${name}.bench.mjs`);
mkdirSync(work, { recursive: true });
for (const module of ["kernel/kernel.wasm", "format/json.wasm"])
  copyFileSync(join(here, "../../src", module), join(work, basename(module)));
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
