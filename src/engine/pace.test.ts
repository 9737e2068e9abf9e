import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunningAttempt } from "../protocol/messages.ts";
import { noStats } from "../protocol/stats.ts";
import type { JobView } from "../protocol/view.ts";
import { Pace } from "./pace.ts";

const none = { done: 0, running: 0, total: 0 };
const MB = 1_000_000;

function view(change: Partial<JobView>): JobView {
  return {
    job: "j",
    name: "word-count",
    number: 1,
    state: "mapping",
    resumable: false,
    tasks: { plan: { done: 1, running: 0, total: 1 }, map: { done: 2, running: 2, total: 8 }, reduce: none },
    counters: {},
    stats: { inputBytes: 1000 * MB, map: noStats, reduce: noStats },
    deadLetters: 0,
    running: [],
    failures: [],
    output: "/out",
    ...change,
  };
}

const read = (bytesIn: number) =>
  view({ stats: { inputBytes: 1000 * MB, map: { ...noStats, bytesIn }, reduce: noStats } });

function running(
  change: Partial<Omit<RunningAttempt, "attempt">> & { phase: "map" | "reduce"; index?: number; attempt?: number },
) {
  const { phase, index = 0, attempt = 1, ...more } = change;
  return {
    attempt: { job: "j", phase, index, epoch: 1, attempt },
    records: 0,
    bytes: 0,
    idleMs: 0,
    runningMs: 0,
    at: undefined,
    ...more,
  } satisfies RunningAttempt;
}

/** What was said of the time left while the input was read at these rates (bytes per second), half a second each. */
function estimates(rates: readonly number[], atStart = 0): (number | undefined)[] {
  const pace = new Pace(0);
  let bytes = atStart;
  return rates.map((rate, i) => {
    const { leftMs } = pace.update(read(bytes), i * 500);
    bytes = Math.min(1000 * MB, bytes + rate / 2);
    return leftMs;
  });
}

describe("what has been read", () => {
  test("has what runs, and what two attempts at one task have read counts once", () => {
    const progress = new Pace(0).update(
      view({
        stats: { inputBytes: 1000, map: { ...noStats, bytesIn: 100, recordsIn: 10 }, reduce: noStats },
        running: [
          running({ phase: "map", index: 1, bytes: 50, records: 5 }),
          running({ phase: "map", index: 1, attempt: 2, bytes: 70, records: 7 }),
          running({ phase: "map", index: 2, bytes: 30, records: 3 }),
          running({ phase: "reduce", index: 0, bytes: 999, records: 999 }),
        ],
      }),
      1,
    );
    expect(progress).toMatchObject({ bytes: 200, records: 20, inputBytes: 1000, percent: 20 });
  });

  test("is never more than there is", () => {
    const progress = new Pace(0).update(
      view({
        stats: { inputBytes: 100, map: { ...noStats, bytesIn: 90 }, reduce: noStats },
        running: [running({ phase: "map", bytes: 50 })],
      }),
      1,
    );
    expect(progress).toMatchObject({ bytes: 100, percent: 100 });
  });

  test("has no percent before it is planned, and all of an empty input is read", () => {
    const empty = { inputBytes: 0, map: noStats, reduce: noStats };
    const planned = view({ stats: empty, tasks: { plan: none, map: { done: 0, running: 0, total: 1 }, reduce: none } });
    expect(
      new Pace(0).update(view({ state: "planning", tasks: { plan: none, map: none, reduce: none } }), 1).percent,
    ).toBeUndefined();
    expect(new Pace(0).update(planned, 1).percent).toBe(100);
  });
});

describe("the rate", () => {
  test("is that of the last ten seconds", () => {
    const pace = new Pace(0);
    let bytes = 0;
    let rate: number | undefined;
    for (let ms = 0; ms <= 40_000; ms += 500) {
      rate = pace.update(read(bytes), ms).bytesPerSecond;
      bytes += ms < 20_000 ? 5 * MB : MB;
    }
    expect(rate).toBeCloseTo(2 * MB, -3);
  });

  test("begins anew where something has to be read again, and ends with the maps", () => {
    const pace = new Pace(0);
    for (let ms = 0; ms <= 5000; ms += 500) pace.update(read(100 * MB + ms * 1000), ms);
    expect(pace.update(read(10 * MB), 5500).bytesPerSecond).toBeUndefined();
    expect(pace.update(view({ state: "reducing" }), 6000).bytesPerSecond).toBeUndefined();
  });
});

describe("the time left", () => {
  test("is right for a steady rate, from a twentieth of the input on", () => {
    const all = estimates(Array.from({ length: 200 }, () => 10 * MB));
    const first = all.findIndex((left) => left !== undefined);
    expect(first).toBe(10); // five seconds, and 50 MB of 1000
    for (const [i, left] of all.entries()) if (i >= first) expect(left! / 1000).toBeCloseTo(100 - i / 2, 5);
  });

  test("is not spoiled by what an earlier run has read", () => {
    const all = estimates(
      Array.from({ length: 100 }, () => 5 * MB),
      500 * MB,
    );
    expect(all.at(-1)! / 1000).toBeCloseTo(50.5, 5);
    expect(all.slice(0, 10).every((left) => left === undefined)).toBe(true);
  });

  test("is not said while the rate is not that of before", () => {
    const all = estimates([...Array.from({ length: 40 }, () => 10 * MB), ...Array.from({ length: 20 }, () => MB / 2)]);
    expect(all[30]).toBeDefined();
    expect(all.at(-1)).toBeUndefined();
  });

  test("never jumps by ten times, whatever the rate does", () => {
    const rate = fc.oneof(
      fc.constantFrom(0, MB, 10 * MB, 200 * MB),
      fc.integer({ min: 0, max: 100 }).map((n) => n * MB),
    );
    const stretch = fc.tuple(rate, fc.integer({ min: 1, max: 120 }));
    let shown = 0;
    fc.assert(
      fc.property(fc.array(stretch, { minLength: 1, maxLength: 12 }), (stretches) => {
        const rates = stretches.flatMap(([each, times]) => Array.from({ length: times }, () => each));
        const said = estimates(rates).flatMap((left, i) => (left === undefined ? [] : [{ left, ms: i * 500 }]));
        shown += said.length;
        for (const [i, { left, ms }] of said.entries()) {
          if (i === 0) continue;
          const before = Math.max(0, said[i - 1]!.left - (ms - said[i - 1]!.ms));
          if (Math.abs(left - before) > 5000) expect(Math.max(left, before) / Math.min(left, before)).toBeLessThan(10);
        }
      }),
    );
    expect(shown).toBeGreaterThan(0);
  });

  test("of reduces needs two for each slot, and none that takes much longer than the others", () => {
    const at = (done: number, longestMs: number) =>
      view({
        state: "reducing",
        tasks: { plan: none, map: none, reduce: { done, running: 2, total: 40 } },
        stats: { inputBytes: 1, map: noStats, reduce: { ...noStats, wallMs: done * 4000 } },
        running: [running({ phase: "reduce", runningMs: longestMs, records: 1 })],
      });
    const pace = new Pace(0);
    expect(pace.update(at(0, 0), 0).leftMs).toBeUndefined();
    expect(pace.update(at(3, 1000), 6000).leftMs).toBeUndefined();
    expect(pace.update(at(10, 1000), 20_000).leftMs).toBe(60_000);
    expect(pace.update(at(10, 13_000), 21_000).leftMs).toBeUndefined();
  });
});

describe("tasks that take long", () => {
  const reducing = (change: Partial<Omit<RunningAttempt, "attempt">>) =>
    view({ state: "reducing", running: [running({ phase: "reduce", index: 3, ...change })] });

  test("are named with their record after a minute", () => {
    const at = { file: 2, offset: 17 };
    const { slow } = new Pace(0).update(
      view({ running: [running({ phase: "map", index: 4, idleMs: 61_000, at })] }),
      1,
    );
    expect(slow).toEqual([{ phase: "map", index: 4, ms: 61_000, on: "call", at }]);
  });

  test("on one key are told from those that fetch, go on or hang", () => {
    const pace = new Pace(0);
    const slowAt = (ms: number, change: Partial<Omit<RunningAttempt, "attempt">>) =>
      pace.update(reducing(change), ms).slow;
    expect(slowAt(0, { records: 0 })).toEqual([]);
    expect(slowAt(20_000, { records: 0 })).toEqual([]); // it fetches
    expect(slowAt(30_000, { records: 1024 })).toEqual([]);
    expect(slowAt(39_000, { records: 1024 })).toEqual([]);
    expect(slowAt(45_000, { records: 1024, idleMs: 200 })).toEqual([
      { phase: "reduce", index: 3, ms: 15_000, on: "key" },
    ]);
    expect(slowAt(46_000, { records: 1024, key: '"the"' })).toEqual([
      { phase: "reduce", index: 3, ms: 16_000, on: "key", key: '"the"' },
    ]);
    expect(slowAt(50_000, { records: 1024, idleMs: 15_000 })).toEqual([]); // one call, not many values
    expect(slowAt(51_000, { records: 1025 })).toEqual([]);
  });
});
