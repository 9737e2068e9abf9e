import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { locationOfFunction } from "./function-location.ts";

let folder: string;
let job: Readonly<Record<string, () => unknown>>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-place-"));
  writeFileSync(join(folder, "other.ts"), "\n\nexport const other = (n: number) => {\n  return () => n;\n};\n");
  writeFileSync(
    join(folder, "job.ts"),
    `import { other } from "./other.ts";
interface Record { readonly of: string }
export default {
  method(record: Record) { return record; },
  arrow:
    async (record: Record) => record,
  *generator() {},
  made: other(1),
  bound: function (this: unknown) { return this; }.bind(1).bind(2),
  native: Math.max,
};
`,
  );
  // Bundled as a job is, but in CommonJS: `import` here is not Node's own, and Node knows no source map of it.
  const outfile = join(folder, "bundle.cjs");
  const sourceRoot = pathToFileURL(`${folder}/`).href;
  buildSync({
    absWorkingDir: folder,
    entryPoints: ["job.ts"],
    outfile,
    bundle: true,
    format: "cjs",
    sourcemap: "inline",
    sourceRoot,
  });
  process.setSourceMapsEnabled(true);
  try {
    job = createRequire(import.meta.url)(outfile).default;
  } finally {
    process.setSourceMapsEnabled(false);
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["method", "job.ts:4"],
  ["arrow", "job.ts:6"],
  ["generator", "job.ts:7"],
  ["made", "other.ts:4"],
  ["bound", "job.ts:9"],
])("the place of a function (%s) is where it begins in its source", (name, place) => {
  expect(locationOfFunction(job[name]!)).toMatch(new RegExp(`^file:///.*/${place}:\\d+$`));
});

test("what is none of any source has no place", () => {
  expect(locationOfFunction(job["native"]!)).toBeUndefined();
  expect(locationOfFunction({})).toBeUndefined();
  expect(Object.getOwnPropertySymbols(globalThis)).not.toContain(Symbol.for("millrace.asked"));
});
