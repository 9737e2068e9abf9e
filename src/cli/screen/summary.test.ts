import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { noStats } from "../../protocol/stats.ts";
import type { JobView } from "../../protocol/view.ts";
import { successLines } from "./summary.ts";

const tasks = { done: 1, running: 0, total: 1 };

function grouped(pairs: number, read: number): string | undefined {
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
