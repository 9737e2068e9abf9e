import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import type { RunProgress } from "../../job/progress.ts";
import { noStats } from "../../protocol/stats.ts";
import type { JobView } from "../../protocol/view.ts";
import { printable } from "./error-text.ts";
import { LineProgress, NoProgress, progressLines, TerminalProgress } from "./progress.ts";

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

  it("S6: escapes control characters of a user's data", () => {
    expect(printable("a\x1b[2Jb\u009b\rc\td\n")).toBe("a\\x1b[2Jb\\x9b\\x0dc\td\n");
    expect(printable("pay\u202egnp.exe \u2066x\u2069\u200f\u061c\u2028")).toBe(
      "pay\\u202egnp.exe \\u2066x\\u2069\\u200f\\u061c\\u2028",
    );
  });
});

const mapping: RunProgress = {
  job: "j",
  name: "word-count",
  state: "mapping",
  elapsedMs: 65_000,
  records: 1_234_567,
  bytes: 3 * 1024 ** 3,
  inputBytes: 12 * 1024 ** 3,
  percent: 25,
  bytesPerSecond: 48 * 1024 ** 2,
  leftMs: 192_000,
  tasks: {
    plan: { done: 1, running: 0, total: 1 },
    map: { done: 40, running: 8, total: 192 },
    reduce: { done: 0, running: 0, total: 64 },
  },
  counters: { "bad dates": 12, "lines without a level": 4_711, words: 9_000_000 },
  spilledBytes: 0,
  deadLetters: 0,
  slow: [],
};
const { leftMs: _, bytesPerSecond: __, percent: ___, ...plain } = mapping;
const states: readonly (readonly [string, RunProgress])[] = [
  [
    "planning",
    {
      ...plain,
      state: "planning",
      elapsedMs: 450,
      records: 0,
      bytes: 0,
      inputBytes: 0,
      counters: {},
      tasks: { plan: { done: 0, running: 1, total: 1 }, map: none, reduce: none },
    },
  ],
  ["mapping, with all there is to say", mapping],
  ["waiting", { ...plain, percent: 0, bytes: 0, records: 0, counters: {}, waiting: "workers quarantined" }],
  [
    "reducing, with trouble",
    {
      ...plain,
      state: "reducing",
      percent: 100,
      bytes: mapping.inputBytes,
      leftMs: 7_400,
      elapsedMs: 4_000_000,
      tasks: {
        ...mapping.tasks,
        map: { done: 192, running: 0, total: 192 },
        reduce: { done: 60, running: 4, total: 64 },
      },
      spilledBytes: 5 * 1024 ** 3,
      deadLetters: 3,
      slow: [
        { phase: "reduce", index: 12, ms: 42_000, on: "key" },
        { phase: "map", index: 3, ms: 130_000, on: "call", at: { file: 2, offset: 123_456 } },
      ],
    },
  ],
  [
    "reducing a hot key",
    {
      ...plain,
      state: "reducing",
      percent: 100,
      bytes: mapping.inputBytes,
      counters: {},
      tasks: {
        ...mapping.tasks,
        map: { done: 192, running: 0, total: 192 },
        reduce: { done: 63, running: 1, total: 64 },
      },
      slow: [{ phase: "reduce", index: 12, ms: 42_000, on: "key", key: '"https://example.com/a/long/path/of/a/p…' }],
    },
  ],
  [
    "with words of a user's",
    {
      ...mapping,
      counters: {
        "\u001b[2J\u202emoved\n up": 1,
        "\u8a9e\u5f59\u306e\u6570\u3068\u884c\u306e\u6570\u3068\u6587\u5b57": 2,
        "e\u0301": 3,
      },
      slow: [{ phase: "reduce", index: 1, ms: 10_000, on: "key", key: "\u001b[2J\u202e\u8a9e\u5f59" }],
    },
  ],
];

/** Columns as a terminal counts them; an oracle of its own, for the few wide characters of these tests. */
function columnsOf(line: string): number {
  return [...line.normalize("NFC")].reduce((sum, c) => sum + (/[\u3000-\u9fff]/.test(c) ? 2 : 1), 0);
}

describe.each([40, 80, 120])("the screen at %i columns", (columns) => {
  it.each(states)("%s", (_name, progress) => {
    const lines = progressLines(progress, columns).map(stripVTControlCharacters);
    // In the last column the terminal would wrap.
    for (const line of lines) expect(columnsOf(line), line).toBeLessThan(columns);
    expect(`\n${lines.join("\n")}\n`).toMatchSnapshot();
  });
});

describe("the screen", () => {
  it("fits every width, down to none", () => {
    for (const [, progress] of states)
      for (let columns = 0; columns < 140; columns++)
        for (const line of progressLines(progress, columns))
          expect(columnsOf(stripVTControlCharacters(line)), `${columns}: ${line}`).toBeLessThan(Math.max(1, columns));
  });

  it("shows all of a thing only when it is done", () => {
    const almost = { ...mapping, percent: 99.97, bytes: mapping.inputBytes - 1 };
    const [, map] = progressLines(almost, 80).map(stripVTControlCharacters);
    expect(map).toMatch(/─ {2}99 %/);
  });

  it("has only warnings with --no-progress", () => {
    const out = sink();
    const progress = new NoProgress(out);
    const error = { code: "slot-died", message: "killed", stack: undefined, where: undefined, excerpt: undefined };
    for (let i = 0; i < 100; i++)
      progress.update(view(i === 0 ? {} : { failures: [{ number: 0, task: "map 3", error }] }));
    expect(out.written).toEqual([expect.stringContaining("map 3 is tried again: killed")]);
  });

  it("has lines without sequences where they can't be rewritten", () => {
    const out = sink();
    const progress = new LineProgress(out, 0);
    for (let ms = 0; ms <= 4000; ms += 100) progress.update(view({ counters: { "\u001b[2J": 1 } }), ms);
    expect(out.written).toEqual(["word-count mapping · map 2/8 · 250 B of 0.98 KiB · 0 B/s · 20 records · 3.00 s\n"]);
  });
});
