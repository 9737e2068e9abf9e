// Nothing in a result depends on how the work was divided: the whole product, on real text.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millrace, scratchFolder } from "../support/cli.ts";

interface ManifestFiles {
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

test("part files are the same with 1, 2 and 7 slots, large and small splits, more and less memory", async () => {
  const scratch = scratchFolder();
  const ways = [
    ["--slots", "1"],
    ["--slots", "2", "--split-size", "300KB"],
    ["--slots", "7", "--split-size", "100KB", "--memory", "448MB"],
    ["--slots", "2", "--memory", "128MB"],
  ];
  try {
    for (const job of ["word-count", "inverted-index"]) {
      const results: ManifestFiles["files"][] = [];
      for (const [i, way] of ways.entries()) {
        const output = join(scratch.path, `${job}-${i}`);
        const words = ["run", `examples/${job}.ts`, "examples/data/books", "-o", output, "--reducers", "3", "--quiet"];
        expect(await millrace([...words, ...way])).toMatchObject({ code: 0, stderr: "" });
        results.push((JSON.parse(readFileSync(join(output, "_SUCCESS"), "utf8")) as ManifestFiles).files);
      }
      expect(results[0]).toHaveLength(3);
      for (const files of results) expect(files).toEqual(results[0]);
    }
  } finally {
    scratch.remove();
  }
});
