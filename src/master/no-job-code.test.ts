import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The modules of ours that a program consists of: all that it imports, now or later. */
async function modulesOf(entry: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    outdir: "never-written",
    bundle: true,
    write: false,
    metafile: true,
    packages: "external",
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  return Object.keys(metafile.inputs).filter((path) => path.startsWith("src/"));
}

test("S3: a master consists of no module that could load or call a job's code; a slot does", async () => {
  const loads = (path: string) => /^src\/(?:task|job|format|input|kernel|sort)\//.test(path);
  const master = await modulesOf("src/master/node.ts");
  expect(master).toContain("src/master/loop.ts");
  expect(master.filter(loads)).toEqual([]);
  const slot = await modulesOf("src/slot/main.ts");
  expect(slot.filter(loads)).toContain("src/job/load/load.ts");
});
