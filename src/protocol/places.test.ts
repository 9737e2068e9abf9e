import { describe, expect, test } from "vitest";
import type { Places } from "./messages.ts";
import { heldOf, isWhole, joinPlaces } from "./places.ts";

const page = (mapVersion: number, from: number, count: number, total: number): Places => ({
  job: "j",
  mapVersion,
  from,
  total,
  runs: [
    {
      worker: "w",
      address: "",
      runs: Array.from({ length: count }, (_, i) => ({
        writtenBy: { job: "j", phase: "map" as const, index: from + i, epoch: 1, attempt: 0 },
        path: `/${from + i}`,
        bytes: 1,
        pairs: 1,
      })),
    },
  ],
});

describe("places come in pages", () => {
  test("in order they make the whole", () => {
    const first = joinPlaces(undefined, page(1, 0, 2, 3))!;
    expect(isWhole(first, 1)).toBe(false);
    expect(heldOf(first)).toEqual({ mapVersion: 1, runs: 2 });
    const both = joinPlaces(first, page(1, 2, 1, 3))!;
    expect(isWhole(both, 1)).toBe(true);
    expect(both.runs.flatMap(({ runs }) => runs.map(({ path }) => path))).toEqual(["/0", "/1", "/2"]);
  });

  test("fault 5: a page that comes twice, late or before its turn changes nothing", () => {
    const first = joinPlaces(undefined, page(2, 0, 2, 3))!;
    expect(joinPlaces(first, page(2, 0, 2, 3))).toBeUndefined();
    expect(joinPlaces(first, page(1, 2, 1, 3))).toBeUndefined();
    expect(joinPlaces(first, page(3, 2, 1, 3))).toBeUndefined();
    expect(joinPlaces(undefined, page(1, 2, 1, 3))).toBeUndefined();
    const whole = joinPlaces(first, page(2, 2, 1, 3))!;
    expect(joinPlaces(whole, page(2, 2, 1, 3))).toBeUndefined();
  });

  test("a newer version begins anew, and one without runs is whole at once", () => {
    const first = joinPlaces(undefined, page(1, 0, 2, 3))!;
    const newer = joinPlaces(first, page(2, 0, 3, 3))!;
    expect(isWhole(newer, 2)).toBe(true);
    expect(isWhole(newer, 1)).toBe(false);
    expect(isWhole({ job: "j", mapVersion: 0, from: 0, total: 0, runs: [] }, 0)).toBe(true);
  });
});
