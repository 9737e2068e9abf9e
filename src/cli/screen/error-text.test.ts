import { writeFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { MillraceError } from "../../base/error.ts";
import { errorLines, fromHere } from "./error-text.ts";

it("makes places below the working directory relative, and no others", () => {
  const text = "at map (/a/b/jobs/x.ts:1:2)\nat /a/b/y.ts:3:4\nat f (/a/bc/z.ts:5:6)\nat g (/c/a/b/w.ts:7:8)";
  expect(fromHere(text, "/a/b")).toBe(
    "at map (jobs/x.ts:1:2)\nat y.ts:3:4\nat f (/a/bc/z.ts:5:6)\nat g (/c/a/b/w.ts:7:8)",
  );
  expect(fromHere("at /x.ts:1:2", "/")).toBe("at x.ts:1:2");
});

it("shows a stack of ours only for what nobody expects", () => {
  let system: unknown;
  try {
    writeFileSync("/nowhere/at/all", "");
  } catch (error) {
    system = error;
  }
  expect(errorLines(system)).toHaveLength(1);
  expect(errorLines(new MillraceError("io-error", "no"))).toHaveLength(1);
  const ours = "    at f (millrace:program/cli.cjs:1:2)";
  const bug = Object.assign(new TypeError("a bug"), { stack: `TypeError: a bug\n${ours}` });
  expect(errorLines(bug).join("\n")).toContain(ours);
  // The job's code was called in this process: its lines, and none of ours.
  const users = Object.assign(new TypeError("no bug"), {
    stack: `TypeError: no bug\n    at g (/jobs/x.ts:3:4)\n${ours}`,
  });
  // Colours depend on where the tests run.
  expect(errorLines(users).map(stripVTControlCharacters)).toEqual([
    expect.stringContaining("TypeError: no bug"),
    "  at g (/jobs/x.ts:3:4)",
  ]);
  expect(errorLines(null)).toEqual([expect.stringContaining("null was thrown")]);
});
