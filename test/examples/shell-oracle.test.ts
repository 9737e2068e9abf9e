// Word count and inverted index of the books against the tools of a Unix shell, which share nothing with us.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { millrace, publishedText, repository, scratchFolder } from "../support/cli.ts";

/** What a shell pipeline prints, in C.UTF-8 for letters and C for order. */
function shell(pipeline: string): string {
  const result = spawnSync("bash", ["-euo", "pipefail", "-c", pipeline], {
    cwd: join(repository, "examples/data/books"),
    encoding: "utf8",
    maxBuffer: 64 << 20,
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  expect(result.stderr).toBe("");
  return result.stdout;
}

async function run(job: string): Promise<string> {
  const scratch = scratchFolder();
  try {
    const output = join(scratch.path, "out");
    const result = await millrace(["run", `examples/${job}.ts`, "examples/data/books/*.txt", "-o", output, "--quiet"]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    return publishedText(output);
  } finally {
    scratch.remove();
  }
}

it("word count is what grep, sort and uniq count", async () => {
  const expected = shell(`grep -ohP '\\p{L}+' *.txt | LC_ALL=C sort | uniq -c | awk '{ print $2 "\\t" $1 }'`);
  expect(expected.split("\n").length).toBeGreaterThan(20_000);
  expect(await run("word-count")).toBe(expected);
});

it("the inverted index is what grep, sort and uniq find per file", async () => {
  const expected = shell(
    `grep -oP '\\p{L}+' *.txt | LC_ALL=C sort | uniq -c | awk '{ at = index($2, ":"); print substr($2, at + 1) "\\t" substr($2, 1, at - 1) "\\t" $1 }' | LC_ALL=C sort`,
  );
  const found = (await run("inverted-index"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { word: string; files: Record<string, number> })
    .flatMap(({ word, files }) => Object.entries(files).map(([file, n]) => `${word}\t${file}\t${n}`))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(found.join("\n")).toBe(expected.trimEnd());
});
