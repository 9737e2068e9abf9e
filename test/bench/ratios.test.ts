import { describe, expect, it } from "vitest";
import { comparedWithRecorded, goalText, median, meetsGoal, ratio } from "../../bench/ratios.mjs";

const seconds = (...values: number[]) => values.map((one) => ({ seconds: one }));
const row = (middle: number, more = {}) => ({ median: middle, min: middle, max: middle, size: 500, ...more });

describe("ratios of a benchmark", () => {
  it("are formed within each round, so that a slow round of both changes nothing", () => {
    expect(ratio(seconds(1, 10, 1), seconds(2, 20, 2))).toEqual({ median: 0.5, min: 0.5, max: 0.5 });
    expect(ratio(seconds(1, 2, 3, 9), seconds(1, 1, 1, 1))).toEqual({ median: 2.5, min: 1, max: 9 });
  });

  it("have the middle value as their median, whatever their order", () => {
    expect(median([10, 9, 100])).toBe(10);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it("meet a goal at its limit and not beyond it", () => {
    expect(meetsGoal(row(0.5, { goal: { atMost: 0.5 } }))).toBe(true);
    expect(meetsGoal(row(0.51, { goal: { atMost: 0.5 } }))).toBe(false);
    expect(meetsGoal(row(8, { goal: { atLeast: 8 } }))).toBe(true);
    expect(meetsGoal(row(7.9, { goal: { atLeast: 8 } }))).toBe(false);
    expect(meetsGoal(row(7))).toBeUndefined();
    expect([goalText({ atMost: 1 }), goalText({ atLeast: 6 }), goalText(undefined)]).toEqual(["<= 1", ">= 6", ""]);
  });
});

describe("comparing with recorded ratios", () => {
  it("takes 15 % for noise, and the recorded spread where that is more", () => {
    const quiet = row(1, { max: 1.05 });
    expect(comparedWithRecorded(row(1.15), quiet)?.regressed).toBe(false);
    expect(comparedWithRecorded(row(1.16), quiet)).toMatchObject({ recorded: 1, regressed: true });
    const loud = row(1, { max: 1.4 });
    expect(comparedWithRecorded(row(1.39), loud)?.regressed).toBe(false);
    expect(comparedWithRecorded(row(1.41), loud)?.regressed).toBe(true);
    expect(comparedWithRecorded(row(0.2), quiet)?.regressed).toBe(false);
  });

  it("sees a smaller ratio as worse where the goal is a least", () => {
    const goal = { atLeast: 6 };
    const recorded = row(10, { goal, min: 9.5 });
    expect(comparedWithRecorded(row(8.6, { goal }), recorded)?.regressed).toBe(true);
    expect(comparedWithRecorded(row(8.8, { goal }), recorded)?.regressed).toBe(false);
    expect(comparedWithRecorded(row(20, { goal }), recorded)?.regressed).toBe(false);
    expect(comparedWithRecorded(row(7, { goal }), row(10, { goal, min: 6 }))?.regressed).toBe(false);
    const better = "larger" as const;
    expect(comparedWithRecorded(row(8.6, { better }), row(10, { better, min: 9.5 }))?.regressed).toBe(true);
  });

  it("compares nothing with what was not recorded, or with data of another size", () => {
    expect(comparedWithRecorded(row(9), undefined)).toBeUndefined();
    expect(comparedWithRecorded(row(9), row(1, { size: 5 }))).toBeUndefined();
  });
});
