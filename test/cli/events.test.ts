// `--json`: what a script reads, from the real command, against the schema that the package has for it.
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { statNames } from "../../src/protocol/stats.ts";
import { jobStates, waitingFor } from "../../src/protocol/view.ts";
import { millrace, repository, scratchFolder } from "../support/cli.ts";
import { eventProblem, eventSchema, eventsIn } from "../support/events.ts";

const folder = scratchFolder();
beforeAll(() => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "in.txt"), "one two\nBOOM\n");
  writeFileSync(
    join(folder.path, "job.mjs"),
    `import { defineJob, text, utf8, uint, sum, tsv } from "millrace";
import { writeFileSync } from "node:fs";
export default defineJob({ name: "job", input: text(), key: utf8, value: uint, combine: sum, output: tsv(),
  map(line, emit, ctx) {
    const mode = process.env.MODE;
    ctx.count("lines \\u009b");
    if (line === "BOOM" && mode.includes("fail")) throw new Error("as asked for");
    if (line === "BOOM" && mode.includes("wait")) { writeFileSync(process.env.MARK, ""); for (;;); }
    emit(line, 1);
  } });\n`,
  );
});
afterAll(() => folder.remove());

function run(mode: string, words: readonly string[], options: Parameters<typeof millrace>[1] = {}) {
  return millrace(["run", "job.mjs", "in.txt", "--json", "--env", `MODE=${mode}`, ...words], {
    cwd: folder.path,
    ...options,
  });
}

describe("the events of a run", () => {
  test("that succeeds are on standard output, and end with what was done", async () => {
    const { code, stdout, stderr } = await run("go", ["-o", "out"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    // Nor may the names of a user's counters control a terminal.
    expect(stdout.toString()).not.toContain("\u009b");
    const events = eventsIn(stdout);
    expect(events.at(-1)).toMatchObject({
      event: "done",
      output: "out",
      counters: { "lines \u009b": 2 },
      largestGroup: { key: expect.stringMatching(/^"(BOOM|one two)"$/), pairs: 1, isEstimate: false },
    });
    const progress = events.filter(({ event }) => event === "progress");
    expect(progress.at(-1)).toMatchObject({ bytes: 13, inputBytes: 13, percent: 100, records: 2 });
  });

  test("are on standard error where the result is on standard output", async () => {
    for (const words of [[], ["-o", "-"]]) {
      const { code, stdout, stderr } = await run("go", words);
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: "BOOM\t1\none two\t1\n" });
      expect(eventsIn(stderr).at(-1)).toMatchObject({ event: "done" });
    }
  });

  test("that fails end with the reason", async () => {
    const { code, stdout } = await run("fail", ["-o", "none"]);
    expect(code).toBe(1);
    const events = eventsIn(stdout);
    expect(events.map(({ event }) => event)).toContain("attempt-failed");
    expect(events.at(-1)).toMatchObject({ event: "failed", reason: { code: "user-error", where: "in.txt:8" } });
  });

  test("that is interrupted end with its end", async () => {
    const mark = join(folder.path, "mark");
    const { code, stdout } = await run("wait", ["-o", "none", "--env", `MARK=${mark}`], {
      started: (child) => {
        const look = setInterval(() => {
          try {
            readFileSync(mark);
          } catch {
            return;
          }
          clearInterval(look);
          child.kill("SIGINT");
        }, 20);
        child.once("close", () => clearInterval(look));
      },
    });
    expect(code).toBe(130);
    expect(eventsIn(stdout).at(-1)).toMatchObject({ event: "cancelled", name: "job" });
  });

  test("that can't begin are one error", async () => {
    const { code, stdout, stderr } = await run("go", ["-o", "out"]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(eventsIn(stdout)).toMatchObject([{ event: "error", code: "output-exists" }]);
  });
});

describe("the schema", () => {
  const defs = eventSchema["$defs"] as Record<string, { properties: Record<string, { enum?: unknown[] }> }>;

  test("has the states and statistics that there are", () => {
    expect(Object.keys(defs["stats"]!.properties)).toEqual(statNames);
    expect(defs["progress"]!.properties["state"]!.enum).toEqual([...jobStates]);
    expect(defs["progress"]!.properties["waiting"]!.enum).toEqual([...waitingFor]);
  });

  test.each([
    ["an event that there is none of", { event: "other" }],
    ["one without its name", { message: "a" }],
    ["a field less", { event: "error", code: "no-input" }],
    ["a field more", { event: "warning", message: "a", more: 1 }],
    ["a fraction", { event: "submitted", job: "a", name: 0.5 }],
    ["a wrong name of a state", { event: "failed", job: "a", name: "b", counters: { c: 0.5 } }],
  ])("refuses %s", (_, event) => {
    expect(eventProblem(event)).toBeDefined();
  });

  test("is in the package under a name of its own", () => {
    const { exports, files } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    expect(exports["./schema/events.schema.json"]).toBe("./schema/events.schema.json");
    expect(files).toContain("schema");
  });
});
