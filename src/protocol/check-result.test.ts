import { describe, expect, it } from "vitest";
import { done, spec } from "../../test/schedule/build.ts";
import type { AttemptId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Expected, whyNoResult } from "./check-result.ts";
import type { LargestGroups } from "./largest-groups.ts";
import type { Assignment } from "./messages.ts";

const attempt: AttemptId = { job: "j", phase: "reduce", index: 0, epoch: 1, attempt: 2 };
const work = { phase: "reduce", partitions: 1, mapVersion: 1 } as const;
const assignment: Assignment = { attempt, spec: spec(), careful: false, work };
const expected: Expected = { attempt, spec: assignment.spec, work };
const group = { key: '"the"', hash: 1, pairs: 5 };
const groups: LargestGroups = { groups: [group], othersMax: 3, isEstimate: false };

const why = (largestGroups: LargestGroups) => whyNoResult(expected, { ...done(assignment), largestGroups });

describe("the largest groups that an attempt reports", () => {
  it("are taken as they are where they can be", () => {
    expect(whyNoResult(expected, done(assignment))).toBeUndefined();
    expect(why(groups)).toBeUndefined();
    expect(why({ groups: Array(limits.largestGroupsMax).fill(group), othersMax: 0, isEstimate: true })).toBeUndefined();
  });

  it.each<[string, Partial<LargestGroups>]>([
    ["are too many", { groups: Array(limits.largestGroupsMax + 1).fill(group) }],
    ["have a key that is long", { groups: [{ ...group, key: "x".repeat(limits.keyExcerptBytes + 1) }] }],
    ["have a key that controls a terminal", { groups: [{ ...group, key: "\u001b[2J" }] }],
    ["have a key of half a character", { groups: [{ ...group, key: "\ud800" }] }],
    ["have a hash that is none", { groups: [{ ...group, hash: 2 ** 32 }] }],
    ["have a part of a pair", { groups: [{ ...group, pairs: 0.5 }] }],
    ["have fewer pairs than none", { groups: [{ ...group, pairs: -1 }] }],
    ["have a bound that is no number", { othersMax: Number.NaN }],
  ])("are refused where they %s", (_, change) => {
    expect(why({ ...groups, ...change })).toMatch(/group/);
  });

  it("are refused from a plan, which has none", () => {
    const planAttempt: AttemptId = { ...attempt, phase: "plan" };
    const planned = done({ attempt: planAttempt, spec: spec(), careful: false, work: { phase: "plan" } });
    const asked: Expected = { attempt: planAttempt, spec: spec(), work: { phase: "plan" } };
    expect(whyNoResult(asked, { ...planned, largestGroups: groups })).toBeDefined();
  });
});
