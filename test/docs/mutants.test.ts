// Seeded bugs are patches of sources by their paths and lines. `npm run mutants` says when one does not fit any more;
// this says it at once.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { optionsOf, type Profile } from "../simulation/options.ts";

interface SeededBug {
  readonly name: string;
  readonly profile?: Profile;
  readonly patches: readonly { readonly file: string; readonly find: string }[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));

test.each([
  ["mutants.mjs", "mutants"],
  ["test-mutants.mjs", "testMutants"],
])("each patch of %s fits exactly once", async (file, list) => {
  const module = await import(pathToFileURL(join(root, "scripts/simulate", file)).href);
  const bugs = module[list] as readonly SeededBug[];
  expect(bugs.length).toBeGreaterThan(5);
  const wrong = bugs.flatMap(({ name, patches }) =>
    patches.flatMap(({ file: path, find }) => {
      const times = existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8").split(find).length - 1 : 0;
      return times === 1 ? [] : [`${name}: ${path} has ${times} times: ${find}`];
    }),
  );
  expect(wrong).toEqual([]);
});

test("each swarm profile names faults and options that there are; one that does not is refused", async () => {
  const { mutants } = await import(pathToFileURL(join(root, "scripts/simulate/mutants.mjs")).href);
  for (const { profile } of mutants as readonly SeededBug[]) expect(() => optionsOf(1, profile)).not.toThrow();
  const odd = { faults: ["no-fault"], change: { noOption: 1 } } as unknown as Profile;
  expect(() => optionsOf(1, odd)).toThrow("a profile names what there is not: no-fault, noOption");
});
