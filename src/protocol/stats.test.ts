import { ScalarType } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { AttemptStatsSchema } from "../wire/gen/millrace/v1/common_pb.ts";
import { addStats, attemptStats, manifestStats, noStats, roundedStats, statNames } from "./stats.ts";

it("lists each number that the message has, by its field and with its type", () => {
  const types = { count: ScalarType.UINT64, duration: ScalarType.DOUBLE };
  const ours = statNames.map((name) => [name, attemptStats[name].field, types[attemptStats[name].kind]]);
  const theirs = AttemptStatsSchema.fields.map((field) => [field.localName, field.number, field.scalar]);
  expect(ours.toSorted()).toEqual(theirs.toSorted());
});

it("adds all numbers but maxima, and stays within what can be stored", () => {
  const sums = { ...noStats };
  const one = Object.fromEntries(statNames.map((name, at) => [name, at + 1])) as typeof noStats;
  addStats(sums, one);
  addStats(sums, { ...one, bytesIn: Number.MAX_SAFE_INTEGER });
  for (const name of statNames) {
    const twice = attemptStats[name].total === "max" ? one[name] : 2 * one[name];
    expect([name, sums[name]]).toEqual([name, name === "bytesIn" ? Number.MAX_SAFE_INTEGER : twice]);
  }
  expect(statNames.filter((name) => attemptStats[name].total === "max")).toEqual(["groupMax"]);
});

it("puts into _SUCCESS what is of the result, in one order", () => {
  expect(Object.keys(manifestStats(noStats))).toEqual([
    "recordsIn",
    "bytesIn",
    "pairs",
    "recordsOut",
    "bytesOut",
    "memoryRunBytes",
    "diskRunBytes",
    "spills",
    "groups",
    "groupMax",
    "fetchedBytes",
    "asideLines",
    "asideBytes",
    "wallMs",
  ]);
});

it("times are shown in whole milliseconds, in _SUCCESS too", () => {
  const stats = { ...noStats, recordsIn: 3, wallMs: 12.600000381469727 };
  expect(roundedStats(stats)).toEqual({ ...stats, wallMs: 13 });
  expect(manifestStats(stats)).toMatchObject({ recordsIn: 3, wallMs: 13 });
});
