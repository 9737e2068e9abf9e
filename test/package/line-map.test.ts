import { SourceMap, type SourceMapPayload } from "node:module";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { lineMap } from "../../scripts/line-map.mjs";

/** A bundle in one line, with names of many lengths, and its map by tokens. */
async function bundled(): Promise<{ readonly code: string; readonly map: SourceMapPayload }> {
  const { outputFiles } = await build({
    entryPoints: ["src/job/codecs/bucket.ts", "src/sort/collector.ts"],
    bundle: true,
    platform: "node",
    external: ["*.wasm"],
    outdir: "out",
    write: false,
    sourcemap: "linked",
    sourcesContent: false,
    minifyWhitespace: true,
    format: "esm",
  });
  const file = outputFiles.find(({ path }) => path.endsWith("collector.js"))!;
  const map = outputFiles.find(({ path }) => path.endsWith("collector.js.map"))!;
  return { code: file.text, map: JSON.parse(map.text) as SourceMapPayload };
}

it("a map by lines has the file and line of each place that the whole map has", async () => {
  const { code, map } = await bundled();
  const short = lineMap(map);
  expect(short.mappings.length).toBeLessThan(map.mappings.length / 2);
  const [whole, byLines] = [new SourceMap(map), new SourceMap(short)];
  const lines = code.split("\n");
  let places = 0;
  for (const [line, text] of lines.entries()) {
    for (let column = 0; column < text.length; column += 3) {
      const expected = whole.findEntry(line, column);
      if (!("originalSource" in expected)) continue;
      const found = byLines.findEntry(line, column);
      expect(found).toMatchObject({
        originalSource: expected.originalSource,
        originalLine: expected.originalLine,
      });
      places++;
    }
  }
  expect(places).toBeGreaterThan(5_000);
});

it("a segment that has no place of its own stays, and so does the line behind it", () => {
  // A place, code of no source, and again the place's line.
  const map = { version: 3, sources: ["a.ts"], mappings: "AAAA,EAAE,E,EAAA;AACA" };
  const mappings = lineMap(map).mappings;
  expect(mappings.split(";")).toHaveLength(2);
  expect(mappings.split(/[;,]/)).toHaveLength(4);
});
