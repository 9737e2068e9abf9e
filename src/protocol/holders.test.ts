import { describe, expect, test } from "vitest";
import { heldOf, isWhole, joinHolders } from "./holders.ts";
import type { Holders } from "./messages.ts";

const page = (mapVersion: number, from: number, count: number, total: number): Holders => ({
  job: "j",
  mapVersion,
  from,
  total,
  workers: [
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

describe("holders come in pages", () => {
  test("in order they make the whole", () => {
    const first = joinHolders(undefined, page(1, 0, 2, 3))!;
    expect(isWhole(first, 1)).toBe(false);
    expect(heldOf(first)).toEqual({ mapVersion: 1, runs: 2 });
    const both = joinHolders(first, page(1, 2, 1, 3))!;
    expect(isWhole(both, 1)).toBe(true);
    expect(both.workers.flatMap(({ runs }) => runs.map(({ path }) => path))).toEqual(["/0", "/1", "/2"]);
  });

  test("fault 5: a page that comes twice, late or before its turn changes nothing", () => {
    const first = joinHolders(undefined, page(2, 0, 2, 3))!;
    expect(joinHolders(first, page(2, 0, 2, 3))).toBeUndefined();
    expect(joinHolders(first, page(1, 2, 1, 3))).toBeUndefined();
    expect(joinHolders(first, page(3, 2, 1, 3))).toBeUndefined();
    expect(joinHolders(undefined, page(1, 2, 1, 3))).toBeUndefined();
    const whole = joinHolders(first, page(2, 2, 1, 3))!;
    expect(joinHolders(whole, page(2, 2, 1, 3))).toBeUndefined();
  });

  test("a newer version begins anew, and one without runs is whole at once", () => {
    const first = joinHolders(undefined, page(1, 0, 2, 3))!;
    const newer = joinHolders(first, page(2, 0, 3, 3))!;
    expect(isWhole(newer, 2)).toBe(true);
    expect(isWhole(newer, 1)).toBe(false);
    expect(isWhole({ job: "j", mapVersion: 0, from: 0, total: 0, workers: [] }, 0)).toBe(true);
  });
});
