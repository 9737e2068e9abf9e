// Compiles what is written in AssemblyScript: the kernel, src/kernel/assembly/ → src/kernel/kernel.wasm, and the reader
// of JSON lines, src/format/assembly/ → src/format/json.wasm. The results are committed, so that neither users nor
// tests need the compiler. `--check` compiles to a temporary file and fails when the committed one is another.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const common = ["-O3", "--runtime", "stub", "--enable", "simd", "--enable", "bulk-memory", "--noAssert"];
const modules = [
  { source: "src/kernel/assembly", target: "src/kernel/kernel.wasm", args: ["--importMemory"] },
  {
    source: "src/format/assembly",
    target: "src/format/json.wasm",
    args: ["--initialMemory", "12", "--maximumMemory", "12"],
  },
];
const isCheck = process.argv.includes("--check");
process.chdir(root);
for (const { source, target, args } of modules) {
  const directory = isCheck ? mkdtempSync(join(tmpdir(), "millrace-wasm-")) : dirname(target);
  const out = join(directory, "out.wasm");
  try {
    // A module must not depend on where it was built: paths are relative, names are left out.
    const to = isCheck ? relative(root, out) : target;
    const { error, stderr } = await asc.main([`${source}/index.ts`, "-o", to, ...common, ...args]);
    if (error) {
      console.error(stderr.toString());
      process.exitCode = 1;
    } else if (isCheck && !readFileSync(out).equals(readFileSync(target))) {
      console.error(`${target} is not what ${source} compiles to: run \`npm run wasm\` and commit it`);
      process.exitCode = 1;
    }
  } finally {
    if (isCheck) rmSync(directory, { recursive: true, force: true });
  }
}
