// Inputs and values that are hostile (faults 69 to 87), with the built command: one clear error or the right result, in
// bounded memory.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventsOf, jobFile, partsOf, peakSlotBytes, plainUser, runToEnd, Scratch, start } from "./support.ts";

const MiB = 1 << 20;
let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

const words = (job: string, more: readonly string[]) => [
  ...["run", jobFile(job), "in", "-o", "out", "--quiet", "--slots", "1", "--memory", "64MB"],
  ...more,
];

function params(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ["--param", `${name}=${value}`]);
}

describe("fault 74: a file that is not what was planned fails the job, by name", () => {
  for (const fault of ["rewrite", "cut", "remove"]) {
    test(fault, async () => {
      scratch.write("in/a.txt", "TRIGGER\n");
      const later = scratch.write("in/b.txt", "words\n".repeat(2000));
      const { code, stderr } = await runToEnd(
        scratch,
        words("hostile", params({ fault, mark: scratch.mark, times: 1, path: later })),
      );
      expect(scratch.fired).toBe(1);
      expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining("in/b.txt") });
      expect(existsSync(scratch.output)).toBe(false);
    });
  }
});

describe("fault 75: what is no regular file is refused, and never waited for", () => {
  const cases: readonly (readonly [what: string, make: () => string, message: RegExp])[] = [
    [
      // One that is named by itself is read like standard input (test/cli/fifos.test.ts).
      "a FIFO in a folder",
      () => {
        mkdirSync(join(scratch.path, "pipes"));
        scratch.write("pipes/a.txt", "a line\n");
        execFileSync("mkfifo", [join(scratch.path, "pipes/fifo")]);
        return "pipes";
      },
      /fifo/i,
    ],
    ["a device without end", () => "/dev/zero", /\/dev\/zero/],
    ["a file of /proc", () => "/proc/self/status", /\/proc\/self\/status/],
  ];
  for (const [what, make, message] of cases) {
    test(what, async () => {
      const run = ["run", jobFile("plain"), make(), "-o", "out", "--quiet"];
      const { code, stderr } = await runToEnd(scratch, run);
      expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(message) });
      expect(stderr).toMatch(/bad-input/);
      expect(existsSync(scratch.output)).toBe(false);
      expect(scratch.leftovers()).toEqual([]);
    });
  }

  test("a file that may not be read", async () => {
    chmodSync(scratch.write("in/secret.txt", "x\n"), 0);
    for (const path of [scratch.path, scratch.temporary]) chmodSync(path, 0o777);
    const { code, stderr } = await runToEnd(scratch, words("plain", []), plainUser);
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/in\/secret\.txt can't be read by/),
    });
    expect(existsSync(scratch.output)).toBe(false);
  });
});

test("fault 77: a line of 1 GiB is refused with its place; no slot ever holds it", async () => {
  truncateSync(scratch.write("in/big.txt", "first\n"), 1024 * MiB);
  const { ended, peak } = watched(words("plain", ["--attempts", "1"]));
  const { code, stderr } = await ended;
  expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/in\/big\.txt:6\b/) });
  expect(stderr).toMatch(/more than the limit of 64.0 MiB/);
  expect(peak()).toBeGreaterThan(0);
  expect(peak()).toBeLessThan(512 * MiB);
});

describe("fault 78: large values", () => {
  test("over the limit are refused with their key, size and record", async () => {
    scratch.write("in/a.txt", "one\ntwo\n");
    const run = words("sizes", params({ bytes: 64 * MiB + 1 }));
    const { code, stderr } = await runToEnd(scratch, run);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/in\/a\.txt:0\b/) });
    expect(stderr).toMatch(/67,108,865 bytes for the key "k", where at most 67,108,864/);
  });

  test("larger than arena and block, but within the limit, come through", async () => {
    scratch.write("in/a.txt", "one\ntwo\n");
    const run = words("sizes", params({ bytes: 40 * MiB }));
    expect(await runToEnd(scratch, run)).toMatchObject({ code: 0 });
    expect(partsOf(scratch.output)).toBe(`k\t2\t${80 * MiB}\n`);
  });
});

test("fault 79: a key with more values than memory is reduced in bounded memory", async () => {
  scratch.write("in/a.txt", "x\n".repeat(600));
  const { ended, peak } = watched(words("sizes", params({ pairs: 1000, bytes: 1000 })));
  expect(await ended).toMatchObject({ code: 0, stderr: "" });
  expect(partsOf(scratch.output)).toBe(`k\t600000\t${600_000_000}\n`);
  expect(peak()).toBeGreaterThan(0);
  expect(peak()).toBeLessThan(400 * MiB);
});

describe("fault 80: keys that do not spread", () => {
  test("one key, eight partitions: one has it, the others are empty", async () => {
    scratch.write("in/a.txt", "x\n".repeat(50));
    const run = words("sizes", [...params({ pairs: 100 }), "--reducers", "8"]);
    expect(await runToEnd(scratch, run)).toMatchObject({ code: 0 });
    expect(partsOf(scratch.output)).toBe("k\t5000\t5000\n");
    expect(readdirSync(scratch.output).filter((name) => name.startsWith("part-"))).toHaveLength(8);
  });

  test("all distinct, one partition: each comes once, in order, though they spill", async () => {
    scratch.write("in/a.txt", "x\n".repeat(40));
    const run = words("sizes", [...params({ keys: "distinct", pairs: 5000, bytes: 400 }), "--reducers", "1"]);
    expect(await runToEnd(scratch, run)).toMatchObject({ code: 0 });
    const lines = partsOf(scratch.output).trimEnd().split("\n");
    expect(lines.length).toBe(200_000);
    expect(new Set(lines.map((line) => line.split("\t")[0])).size).toBe(200_000);
    expect(lines.every((line) => line.endsWith("\t1\t400"))).toBe(true);
    const manifest = JSON.parse(readFileSync(join(scratch.output, "_SUCCESS"), "utf8"));
    expect(manifest.stats.map.spills).toBeGreaterThan(0);
  });
});

test("fault 81: names that objects treat specially are keys and counters like any other", async () => {
  const names = ["10", "9", "__proto__", "constructor", "hasOwnProperty", "toString"];
  scratch.write("in/a.txt", `${names.join("\n")}\n__proto__\n`);
  const run = words("sizes", [...params({ keys: "line" }), "--reducers", "1", "--json"]);
  const { code, stdout } = await runToEnd(scratch, run);
  expect(code).toBe(0);
  const counted = names.map((name) => [name, name === "__proto__" ? 2 : 1]);
  const lines = partsOf(scratch.output).trimEnd().split("\n");
  expect(lines.map((line) => [line.split("\t")[0], Number(line.split("\t")[1])])).toEqual(counted);
  const { counters } = eventsOf(stdout).at(-1) as { counters: Record<string, number> };
  expect(Object.entries(counters).toSorted()).toEqual(counted.toSorted());
});

/** A run, and the most memory that one of its slots ever held. */
function watched(run: readonly string[]) {
  const { ended } = start(scratch, run);
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, peakSlotBytes(scratch));
  }, 20);
  return { ended: ended.finally(() => clearInterval(timer)), peak: () => peak };
}
