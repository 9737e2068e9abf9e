// Runs a micro-benchmark: `node bench/micro/run.mjs kernel [case]` bundles bench/micro/kernel.bench.ts into bench/.work
// and runs the bundle.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildBench } from "./build.mjs";

const [name = "kernel"] = process.argv.slice(2);
const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), ".work");
await import(await buildBench(name, { folder }));
