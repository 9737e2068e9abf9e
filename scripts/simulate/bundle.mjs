// The simulation as one file, with seeded bugs patched into the product's sources on the way: what ships has no
// switches.
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Writes it to `outfile`. `patches`: { file, find, replace }, each of which must fit exactly once, so that a bug
 * whose place has changed is noticed instead of being tested for no more.
 */
export async function bundleSimulation(outfile, patches = []) {
  const applied = new Set();
  await build({
    entryPoints: [join(root, "test/simulation/main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "silent",
    external: ["classic-level"],
    plugins: [
      {
        name: "seeded bugs",
        setup(setup) {
          if (patches.length === 0) return;
          setup.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const file = relative(root, path);
            const here = patches.filter((patch) => patch.file === file);
            if (here.length === 0) return undefined;
            let contents = readFileSync(path, "utf8");
            for (const { find, replace } of here) {
              const pieces = contents.split(find);
              if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} times: ${find}`);
              contents = pieces.join(replace);
            }
            applied.add(file);
            return { contents, loader: "ts" };
          });
        },
      },
    ],
  });
  for (const { file } of patches) if (!applied.has(file)) throw new Error(`${file} is no part of the simulation`);
  return outfile;
}
