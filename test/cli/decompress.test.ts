// `--decompress`: the whole product reads files through a program of the user's.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millrace, scratchFolder } from "../support/cli.ts";

test("--decompress reads each file through a program; one that fails is named, and nothing is published", async () => {
  const { path, remove } = scratchFolder();
  try {
    const job = `import { defineJob, text } from "millrace";
export default defineJob({ name: "upper", input: text(), reducers: 0, output: text(), map(line, emit, ctx) { emit(\`\${ctx.source} \${ctx.offset} \${line}\`); } });`;
    writeFileSync(join(path, "upper.ts"), job);
    writeFileSync(join(path, "a.txt"), "one\ntwo\n");
    writeFileSync(join(path, "b.txt"), "three\n");
    const run = (...words: string[]) =>
      millrace(["run", "upper.ts", "a.txt", "b.txt", "--quiet", ...words], { cwd: path });
    const right = await run("--decompress", "tr 'a-z' \"A-Z\"");
    expect(right).toMatchObject({ code: 0, stderr: "" });
    expect(right.stdout.toString()).toBe("a.txt 0 ONE\na.txt 4 TWO\nb.txt 0 THREE\n");
    const failing = await run("-o", "out", "--decompress", "sh -c 'cat; echo broken >&2; exit 7'");
    expect(failing.code).toBe(3);
    expect(failing.stderr).toMatch(
      /\.txt: the program of --decompress, .* exit code 7\. Its standard error ends:\s+broken/,
    );
    expect(existsSync(join(path, "out"))).toBe(false);
    const there = await run("-o", "out", "--master", "http://127.0.0.1:1", "--decompress", "cat");
    expect(there.code).toBe(2);
    expect(there.stderr).toMatch(/--decompress is for a run on this machine/);
  } finally {
    remove();
  }
});
