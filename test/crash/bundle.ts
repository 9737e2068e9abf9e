// The victims as files that Node runs by itself, with the bug that `npm run mutants` may have seeded.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";

interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Victims {
  /** The script of test/crash/victims/NAME.ts. */
  script(name: string): string;
  remove(): void;
}

/** Bundles them below node_modules of the repository at `root`, so that they find its packages. */
export async function bundleVictims(root: string, names: readonly string[]): Promise<Victims> {
  const patches = JSON.parse(process.env["MILLRACE_SEEDED_BUG"] ?? "[]") as readonly Patch[];
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  const folder = mkdtempSync(join(root, "node_modules/.cache/millrace-crash-"));
  await build({
    entryPoints: names.map((name) => join(root, `test/crash/victims/${name}.ts`)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
    external: ["classic-level"],
    banner: {
      js: 'import { createRequire as require_ } from "node:module"; const require = require_(import.meta.url);',
    },
    plugins: [
      {
        name: "seeded bugs",
        setup(setup) {
          setup.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const here = patches.filter(({ file }) => file === relative(root, path));
            if (here.length === 0) return undefined;
            let contents = readFileSync(path, "utf8");
            for (const { find, replace } of here) contents = contents.replace(find, () => replace);
            return { contents, loader: "ts" };
          });
        },
      },
    ],
  });
  return {
    script: (name) => join(folder, `${name}.mjs`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
