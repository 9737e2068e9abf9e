import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import type { LargestGroup } from "../../protocol/largest-groups.ts";
import { noStats } from "../../protocol/stats.ts";
import type { JobView } from "../../protocol/view.ts";
import { resumedText, successLines } from "./summary.ts";

const tasks = { done: 1, running: 0, total: 1 };

function grouped(pairs: number, read: number, largestGroup?: LargestGroup): string | undefined {
  const view: JobView = {
    job: "j",
    name: "word-count",
    number: 1,
    state: "succeeded",
    resumable: false,
    tasks: { plan: tasks, map: tasks, reduce: tasks },
    counters: {},
    stats: {
      inputBytes: 10,
      map: { ...noStats, pairs },
      reduce: { ...noStats, pairs: read, groups: 4, groupMax: 2 },
    },
    ...(largestGroup !== undefined && { largestGroup }),
    deadLetters: 0,
    running: [],
    failures: [],
    output: "/out",
  };
  const options = { elapsedMs: 1, output: "out", deadLetters: "", phases: [] };
  return successLines(view, options)
    .map(stripVTControlCharacters)
    .find((line) => line.includes("grouped"));
}

it("says of the largest group whether its values had been combined", () => {
  expect(grouped(6, 6)).toBe("  grouped  6 pairs into 4 groups; the largest has 2");
  expect(grouped(60, 6)).toBe("  grouped  60 pairs into 4 groups; the largest has 2 after combining");
});

it("names the largest group, and says of an estimate that it is one", () => {
  const group = { key: '"the"', pairs: 2, isEstimate: false };
  expect(grouped(6, 6, group)).toBe('  grouped  6 pairs into 4 groups; the largest has 2, the key "the"');
  expect(grouped(60, 6, { ...group, pairs: 31 })).toBe(
    '  grouped  60 pairs into 4 groups; the largest has 31 before combining, the key "the", and no more than 2 after it',
  );
  const large = { ...group, pairs: 1_234_567, isEstimate: true };
  expect(grouped(9_000_000, 6, large)).toContain("the largest has about 1,200,000 before combining");
  expect(grouped(60, 6, { ...large, pairs: 7 })).toContain("the largest has about 7 before combining");
});

it("S6: shows no key that controls the terminal", () => {
  const line = grouped(6, 6, { key: "\u001b[2J\u202e\nx", pairs: 2, isEstimate: false });
  expect(line).toMatch(/the key \\x1b\[2J\\u202e x$/);
});

it("says what checkpoints have saved, where a task went on from one", () => {
  const stats = (map: object, reduce: object = {}) => ({
    stats: { inputBytes: 1, map: { ...noStats, ...map }, reduce: { ...noStats, ...reduce } },
  });
  expect(resumedText(stats({ checkpoints: 3 }))).toBeUndefined();
  expect(resumedText(stats({ resumed: 2, resumedRecords: 1_234, resumedMs: 61_000 }))).toBe(
    "2 tasks from a checkpoint: 1,234 records, 1 m 01 s of work, not done again",
  );
});
