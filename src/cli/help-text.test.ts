import { expect, test } from "vitest";
import { wrappedHelp } from "./help-text.ts";

const text = `
Sentences are joined,
whatever their line ends, and wrapped.

Examples:
  millrace run job.ts 'a b' --reducers 8 -o counts
  millrace run job.ts -o counts     go on`;

test("sentences are wrapped, and examples go on as a shell takes them", () => {
  expect(wrappedHelp(text, 42).split("\n")).toEqual([
    "Sentences are joined, whatever their line",
    "ends, and wrapped.",
    "",
    "Examples:",
    "  millrace run job.ts 'a b' --reducers 8 \\",
    "      -o counts",
    "  millrace run job.ts -o counts     go on",
  ]);
  expect(wrappedHelp(text, 30).split("\n").slice(-3)).toEqual([
    "  # go on",
    "  millrace run job.ts -o \\",
    "      counts",
  ]);
  const twice = `${text}\n  millrace help  what else\n  a \\\n    b`;
  expect(wrappedHelp(twice, 42).split("\n").slice(-3)).toEqual([
    "  millrace run job.ts -o counts     go on",
    "  millrace help  what else",
    "  a b",
  ]);
  expect(wrappedHelp(twice, 40).split("\n").slice(-5)).toEqual([
    "  # go on",
    "  millrace run job.ts -o counts",
    "  # what else",
    "  millrace help",
    "  a b",
  ]);
  expect(wrappedHelp(text, 120).split("\n")).toHaveLength(5);
});

test.each([20, 40, 80, 120])("nothing is wider than %i columns but a single word", (width) => {
  for (const line of wrappedHelp(text, width).split("\n"))
    expect(line.length <= width || !line.trim().includes(" ")).toBe(true);
});
