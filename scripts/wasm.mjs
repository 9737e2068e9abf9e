// Compiles the kernel: src/kernel/assembly/ (AssemblyScript) → src/kernel/kernel.wasm, which is committed, so that neither
// users nor tests need the compiler. `--check` compiles to a temporary file and fails when the committed one is another.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, "src/kernel/kernel.wasm");
const features = ["--enable", "simd", "--enable", "bulk-memory", "--importMemory", "--noAssert"];
const isCheck = process.argv.includes("--check");
const directory = isCheck ? mkdtempSync(join(tmpdir(), "millrace-wasm-")) : dirname(target);
const out = join(directory, "kernel.wasm");
try {
  process.chdir(root);
  // The module must not depend on where it was built: paths are relative, names are left out.
  const args = ["src/kernel/assembly/index.ts", "-o", relative(root, out), "-O3", "--runtime", "stub", ...features];
  const { error, stderr } = await asc.main(args);
  if (error) {
    console.error(stderr.toString());
    process.exitCode = 1;
  } else if (isCheck && !readFileSync(out).equals(readFileSync(target))) {
    console.error(
      "src/kernel/kernel.wasm is not what src/kernel/assembly compiles to: run `npm run wasm` and commit it",
    );
    process.exitCode = 1;
  }
} finally {
  if (isCheck) rmSync(directory, { recursive: true, force: true });
}
