// What the job's code throws where nothing waits for it belongs to the attempt that ran it, also at its very end.
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

test.each([
  ["a promise", 'void Promise.reject(new Error("too late"));'],
  ["a timer that is due", 'setImmediate(() => { throw new Error("too late"); });'],
])("fault 17: an error in %s of the last record fails its map task, not what runs next", async (_, late) => {
  const folder = scratchFolder();
  try {
    symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
    writeFileSync(join(folder.path, "in.txt"), "one line\n");
    writeFileSync(
      join(folder.path, "job.ts"),
      `import { defineJob, sum, text, uint, utf8 } from "millrace";
export default defineJob({ name: "late", input: text(), key: utf8, value: uint, map(line, emit) { emit(line, 1); ${late} }, combine: sum });
`,
    );
    const result = await millrace(["run", "job.ts", "in.txt", "-o", "out", "--slots", "1"], { cwd: folder.path });
    expect(result.code, result.stderr).toBe(1);
    expect(result.stderr).toContain("too late");
    expect(result.stderr).not.toContain("reduce-00000");
  } finally {
    folder.remove();
  }
});
