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

test("replay, sim and the sample of test read files through the program too, and a hint repeats it", async () => {
  const { path, remove } = scratchFolder();
  try {
    // What was not decompressed is refused.
    writeFileSync(
      join(path, "count.ts"),
      `import { defineJob, text, tsv, uint, utf8 } from "millrace";
export default defineJob({ name: "count", input: text(), key: utf8, value: uint, output: tsv<[string, number]>(),
  map(line, emit) {
    if (line !== line.toUpperCase() || line === "BAD") throw new Error(\`not \${line}\`);
    emit(line, 1);
  },
  reduce(key, values, emit) { emit([key, [...values].length]); } });`,
    );
    writeFileSync(join(path, "a.txt"), "one\ntwo\none\n");
    writeFileSync(join(path, "bad.txt"), "one\nbad\n");
    const upper = "tr a-z A-Z";
    const at = (...words: string[]) => millrace([...words, "--decompress", upper], { cwd: path });
    const record = await at("replay", "count.ts", "a.txt:4");
    expect(record.code, record.stderr).toBe(0);
    expect(record.stdout.toString()).toContain('"TWO"\n\nemitted 1 pair');
    const key = await at("replay", "count.ts", "a.txt", "--key", "ONE");
    expect(key.code, key.stderr).toBe(0);
    expect(key.stdout.toString()).toContain("[ 'ONE', 2 ]");
    const tested = await at("test", "count.ts", "a.txt");
    expect(tested.code, `${tested.stdout}${tested.stderr}`).toBe(0);
    expect(tested.stdout.toString()).toContain("ok       reduce writes the same");
    const simulated = await at("sim", "count.ts", "a.txt", "--seeds", "1");
    expect(simulated.code, `${simulated.stdout}${simulated.stderr}`).toBe(0);
    const failed = await at("run", "count.ts", "bad.txt", "-o", "out");
    expect(failed.stderr).toContain(
      "run this record again:  millrace replay count.ts bad.txt:4 --decompress 'tr a-z A-Z'\n",
    );
  } finally {
    remove();
  }
});
