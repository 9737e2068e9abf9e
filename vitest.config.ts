import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";
import { seedOfSources } from "./scripts/seed.mjs";
import { LongestFirst } from "./test/order.ts";

interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A bug that `npm run mutants` seeds (scripts/simulate/test-mutants.mjs): the tests run with it, and have to fail. */
const patches = JSON.parse(process.env["MILLRACE_SEEDED_BUG"] ?? "[]") as readonly Patch[];

const seededBug: Plugin = {
  name: "seeded bug",
  enforce: "pre",
  transform(code, id) {
    const here = patches.filter(({ file }) => id === source(`./${file}`));
    if (here.length === 0) return undefined;
    let patched = code;
    for (const { file, find, replace } of here) {
      const pieces = patched.split(find);
      if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} times: ${find}`);
      patched = pieces.join(replace);
    }
    return { code: patched, map: null };
  },
};

/**
 * Properties try the same values again wherever the sources are the same, and others as soon as a file changes: one
 * commit has one result. MILLRACE_PROPERTIES=random looks further, and MILLRACE_PROPERTIES=N repeats what failed.
 */
const seededProperties: Plugin = {
  name: "seeded properties",
  enforce: "pre",
  resolveId(id, importer) {
    const wrapper = source("./test/fast-check.ts");
    return id === "fast-check" && importer !== wrapper ? wrapper : null;
  },
};

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [seededBug, seededProperties],
  resolve: {
    alias: [
      { find: /^millrace\/testing$/, replacement: source("./src/testing.ts") },
      { find: /^millrace$/, replacement: source("./src/index.ts") },
    ],
  },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Slots are real processes that run the built product, so it is built once before the first test.
    globalSetup: ["./test/build.ts"],
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { MILLRACE_PROPERTIES: process.env["MILLRACE_PROPERTIES"] ?? seedOfSources() },
  },
});
