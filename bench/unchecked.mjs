// The product without its checks, to measure what they cost: it runs only here. CRC-32 of blocks and footers, SHA-256
// of outputs and every XXH64 (digests; and, with them, partitioning by hash, so that all keys come into one partition)
// are constants, when written and when compared, so everything else goes on as with them.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** For esbuild: puts constants in place of checksums. */
export const withoutChecksums = {
  name: "without-checksums",
  setup(build) {
    const modules = {
      "node:zlib": "export const crc32 = () => 0;",
      "node:crypto": `import { createHash as real } from "node:crypto";
        const none = { update: () => none, digest: (encoding) => (encoding ? "00".repeat(32) : Buffer.alloc(32)) };
        export const createHash = (name) => (name === "sha256" ? none : real(name));`,
    };
    build.onResolve({ filter: /^node:(zlib|crypto)$/ }, ({ path, namespace }) =>
      namespace === "unchecked" ? { path, external: true } : { path, namespace: "unchecked" },
    );
    build.onLoad({ filter: /.*/, namespace: "unchecked" }, ({ path }) => ({
      contents: `export * from "${path}";\n${modules[path]}`,
    }));
  },
};

/** Compiles the kernel with XXH64 as a constant into `folder`, and returns the file. */
export async function kernelWithoutDigests(folder) {
  const sources = join(folder, "assembly");
  cpSync(join(root, "src/kernel/assembly"), sources, { recursive: true });
  const file = join(sources, "xxh64.ts");
  let text = readFileSync(file, "utf8");
  for (const name of ["xxh64", "xxh64Short", "xxh64Word"]) {
    const head = new RegExp(`^export function ${name}\\(.*\\{$`, "m");
    if (!head.test(text)) throw new Error(`bench/unchecked.mjs does not know ${name} of the kernel any more`);
    text = text.replace(head, (line) => `${line}\n  return 1;`);
  }
  writeFileSync(file, text);
  const { default: asc } = await import("assemblyscript/asc");
  const out = join(folder, "kernel.wasm");
  const flags = [
    "-O3",
    "--runtime",
    "stub",
    "--enable",
    "simd",
    "--enable",
    "bulk-memory",
    "--importMemory",
    "--noAssert",
  ];
  const before = process.cwd();
  process.chdir(root);
  try {
    const { error, stderr } = await asc.main([
      relative(root, join(sources, "index.ts")),
      "-o",
      relative(root, out),
      ...flags,
    ]);
    if (error) throw new Error(stderr.toString());
  } finally {
    process.chdir(before);
  }
  return out;
}
