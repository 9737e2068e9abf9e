import { describe, expect, it } from "vitest";
import { noStats } from "../../protocol/stats.ts";
import type { JobView } from "../../protocol/view.ts";
import { printable } from "./error-text.ts";
import { clip, LineProgress, remainingMs, TerminalProgress } from "./progress.ts";

const none = { done: 0, running: 0, total: 0 };

function view(change: Partial<JobView>): JobView {
  return {
    job: "j",
    name: "word-count",
    number: 1,
    state: "mapping",
    resumable: false,
    tasks: { plan: { done: 1, running: 0, total: 1 }, map: { done: 2, running: 2, total: 8 }, reduce: none },
    counters: {},
    stats: { inputBytes: 1000, map: { ...noStats, recordsIn: 20, bytesIn: 250 }, reduce: noStats },
    deadLetters: 0,
    running: [],
    failures: [],
    output: "/out",
    ...change,
  };
}

function sink(columns = 80) {
  const written: string[] = [];
  return { written, columns, write: (text: string) => void written.push(text) };
}

describe("progress", () => {
  it("rewrites its lines in place on a terminal, and removes them at the end", () => {
    const out = sink();
    const progress = new TerminalProgress(out, 0);
    progress.update(view({}), 1000);
    const lines = out.written[0]!.split("\n").length - 1;
    progress.update(view({}), 1200);
    expect(out.written[1]).toContain(`\x1b[${lines}A`);
    progress.clear();
    expect(out.written[2]).toBe(`\r\x1b[${lines}A\x1b[0J`);
  });

  it("writes a line every few seconds elsewhere", () => {
    const out = sink();
    const progress = new LineProgress(out, 0, 3000);
    for (let ms = 0; ms <= 9000; ms += 500) progress.update(view({}), ms);
    expect(out.written.length).toBe(3);
    expect(out.written[0]).toContain("map 2/8");
  });

  it("warns of each failed attempt once", () => {
    const out = sink();
    const progress = new LineProgress(out, 0);
    progress.update(view({}), 0);
    const failures = [
      {
        number: 0,
        task: "map 3",
        error: {
          code: "slot-died",
          message: "killed by signal",
          stack: undefined,
          where: "a.txt:12",
          excerpt: undefined,
        },
      },
    ];
    progress.update(view({ failures }), 1);
    progress.update(view({ failures }), 2);
    expect(out.written).toHaveLength(1);
    expect(out.written[0]).toContain("a.txt:12");
  });

  it("warns of the failures behind the twenty that a view keeps, and not of those of a run that is resumed", () => {
    const out = sink();
    const progress = new LineProgress(out, 0);
    const failure = (number: number) => ({
      number,
      task: `map ${number}`,
      error: { code: "slot-died", message: "killed", stack: undefined, where: undefined, excerpt: undefined },
    });
    progress.update(view({ failures: [failure(0), failure(1)] }), 0);
    expect(out.written).toEqual([]);
    progress.update(view({ failures: Array.from({ length: 20 }, (_, i) => failure(i + 2)) }), 1);
    progress.update(view({ failures: Array.from({ length: 20 }, (_, i) => failure(i + 3)) }), 2);
    expect(out.written).toHaveLength(21);
  });

  it("gives no estimate before there is one", () => {
    expect(remainingMs(view({}), 1000)).toBeUndefined();
    expect(
      remainingMs(view({ stats: { inputBytes: 1000, map: { ...noStats, bytesIn: 50 }, reduce: noStats } }), 60_000),
    ).toBeUndefined();
    expect(remainingMs(view({}), 10_000)).toBe(30_000);
    const reduce = { done: 0, running: 2, total: 4 };
    const reducing = view({ state: "reducing", tasks: { plan: none, map: { done: 8, running: 0, total: 8 }, reduce } });
    expect(remainingMs(reducing, 10_000)).toBeUndefined();
  });

  it("cuts lines to the terminal's width without counting colours", () => {
    expect(clip("abcdef", 4)).toBe("abc\x1b[0m");
    expect(clip("\x1b[31mab\x1b[0m", 4)).toBe("\x1b[31mab\x1b[0m");
  });

  it("S6: escapes control characters of a user's data", () => {
    expect(printable("a\x1b[2Jb\u009b\rc\td\n")).toBe("a\\x1b[2Jb\\x9b\\x0dc\td\n");
    expect(printable("pay\u202egnp.exe \u2066x\u2069\u200f\u061c\u2028")).toBe(
      "pay\\u202egnp.exe \\u2066x\\u2069\\u200f\\u061c\\u2028",
    );
  });
});
