// `millrace sim` as a user runs it: right jobs hold, wrong ones are caught and explained, and a seed can be run again.
import { readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const write = (name: string, content: string) => writeFileSync(join(folder.path, name), content);

interface SeedLine {
  readonly seed: number;
  readonly outcome: string;
  readonly note: string;
  readonly details: readonly string[];
  readonly advice: readonly string[];
  readonly hash: string;
  readonly faults: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly again: number;
  readonly changed: readonly string[];
  readonly replay: string;
}

/** With --json. */
async function simulated(...words: readonly string[]) {
  const { code, stdout, stderr } = await millrace(["sim", ...words, "--json"], { cwd: folder.path });
  const lines = `${stdout}`.split("\n").filter((line) => line !== "");
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const seeds = parsed.filter((line) => "seed" in line && "outcome" in line) as unknown as SeedLine[];
  return { code, seeds, lines: parsed, last: parsed.at(-1)!, text: stdout + stderr };
}

const job = (rest: string, before = "") =>
  `import { defineJob, float64, sum, text, tsv, uint, utf8 } from "millrace";\n${before}\nexport default defineJob({ name: "sim", input: text(), key: utf8, output: tsv(), ${rest} });\n`;

beforeAll(() => {
  const lines = Array.from({ length: 900 }, (_, i) => `${"abcdefghij"[(i * 7) % 10]}${i % 13} ${i % 97}`);
  write("in.txt", `${lines.join("\n")}\n`);
  write("right.ts", job("value: uint, map(line, emit) { emit(line.slice(0, 2), 1); }, combine: sum"));
  const words = "line.slice(0, 1), Number(line.slice(3))";
  write("average.ts", job(`value: float64, map(line, emit) { emit(${words}); }, combine: (a, b) => (a + b) / 2`));
  write("chance.ts", job("value: uint, map(line, emit) { if (Math.random() < 0.5) emit(line, 1); }, combine: sum"));
  write(
    "state.ts",
    job("value: uint, map(line, emit) { emit(line.slice(0, 1), seen++); }, combine: sum", "let seen = 0;"),
  );
  write(
    "counts.ts",
    job('value: uint, map(line, emit, ctx) { if (seen++ % 2) ctx.count("odd"); emit(line, 1); }', "let seen = 0;"),
  );
  write(
    "once.ts",
    job(
      "value: uint, map(line, emit) { emit(line.slice(0, 2), 1); }, reduce(key, values, emit) { if (!done.has(key)) emit([key]); done.add(key); }",
      "const done = new Set<string>();",
    ),
  );
  write(
    "late.ts",
    job(
      'value: uint, async map(line) { setTimeout(() => { throw new Error("too late"); }); await new Promise((done) => setTimeout(done, 50)); }',
    ),
  );
  write("waits.ts", job("value: uint, async map(line) { await new Promise(() => {}); }"));
  write("throws.ts", job('value: uint, map(line) { if (line.startsWith("d")) throw new Error("no d"); }'));
});
afterAll(() => folder.remove());

test("a right job holds, much goes wrong, and nothing is left behind", async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("millrace-sim-"));
  const { code, seeds, last } = await simulated("right.ts", "in.txt", "--seeds", "6");
  expect(code).toBe(0);
  expect(seeds.map(({ seed, outcome }) => [seed, outcome])).toEqual([1, 2, 3, 4, 5, 6].map((seed) => [seed, "ok"]));
  expect(last).toMatchObject({ seeds: 6, ok: 6, failed: 0 });
  const kinds = last["kinds"] as Record<string, number>;
  for (const kind of ["crash-workers", "slot-deaths", "message lost"]) expect(kinds[kind], kind).toBeGreaterThan(0);
  expect(last["again"]).toBeGreaterThan(20);
  expect(last["masterChanges"]).toBeGreaterThan(0);
  const after = readdirSync(tmpdir()).filter((name) => name.startsWith("millrace-sim-"));
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
  expect(readdirSync(folder.path).filter((name) => !/\.(ts|txt)$/.test(name))).toEqual([]);
});

test("a person reads a line per seed, and with --verbose what happened", async () => {
  const { code, stdout } = await millrace(["sim", "right.ts", "in.txt", "--seed", "2", "--verbose"], {
    cwd: folder.path,
  });
  expect(code).toBe(0);
  const text = `${stdout}`;
  expect(text).toMatch(/^sim on 5\.\d+ KiB of 1 file\n/);
  expect(text).toMatch(/^ok {7}without faults {2}4 map tasks, 4 reduce tasks$/m);
  expect(text).toMatch(/^ +\d+\.\d{3} s {2}map-00000\.\d+\.\d+ begins on w\d$/m);
  expect(text).toMatch(/^ok {7}seed 2 +\d+ faults, .*\d+ attempts at \d+ tasks, \d+ again, .* {2}[0-9a-f]{12}$/m);
  expect(text).toMatch(/^passed the output was the same in this cluster\n$/m);
});

test("a combine that is not associative is caught, and the command that is printed shows it again", async () => {
  const { code, seeds } = await simulated("average.ts", "in.txt", "--seeds", "2");
  expect(code).toBe(1);
  expect(seeds.map(({ outcome, note }) => [outcome, note])).toEqual([
    ["failed", "the output differs"],
    ["failed", "the output differs"],
  ]);
  const [, second] = seeds;
  expect(second!.details.join("\n")).toContain("differs without any fault too");
  expect(second!.advice.join("\n")).toContain("combine is not associative");
  expect(second!.replay).toBe("millrace sim average.ts in.txt --seed 2 --verbose");
  const again = await simulated(...second!.replay.split(" ").slice(2));
  expect(again.seeds).toEqual([second]);
  expect(again.lines.some((line) => line["isFault"] === true)).toBe(true);
  const { stdout } = await millrace(["sim", "average.ts", "in.txt", "--seeds", "2"], { cwd: folder.path });
  expect(`${stdout}`).toMatch(/^FAIL {5}seed 1: the output differs\n {11}part-0000\d\.tsv, byte \d+ \(line \d+\)$/m);
  expect(`${stdout}`.match(/combine is not associative/g)).toHaveLength(1);
  expect(`${stdout}`).toContain("to see it happen:  millrace sim average.ts in.txt --seed 1 --verbose");
  expect(`${stdout}`).toMatch(/^failed in 2 of 2 clusters$/m);
});

test("a map that draws chance is caught and told so, and replays all the same", async () => {
  const { code, seeds } = await simulated("chance.ts", "in.txt", "--seeds", "4");
  expect(code).toBe(1);
  expect(seeds.every(({ outcome }) => outcome === "failed")).toBe(true);
  expect(seeds.some(({ changed }) => changed.length > 0)).toBe(true);
  for (const { advice } of seeds) expect(advice.join()).toContain("Math.random()");
  const [third] = (await simulated("chance.ts", "in.txt", "--seed", "3")).seeds;
  expect(third).toEqual(seeds[2]);
});

test("a variable of the module that outlives an attempt is caught, in what is written and in what is counted", async () => {
  const state = await simulated("state.ts", "in.txt", "--seeds", "3");
  expect(state.code).toBe(1);
  expect(state.seeds.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "failed"]);
  const counts = await simulated("counts.ts", "in.txt", "--seeds", "6");
  expect(counts.code).toBe(1);
  const found = counts.seeds.find(({ outcome }) => outcome === "failed")!;
  expect(found.note).toBe("the output is right, the counters differ");
  expect(found.details[0]).toMatch(/^odd: \d+ without faults, \d+ here$/);
});

test("what goes wrong only when an attempt runs again is told apart", async () => {
  const { code, seeds } = await simulated("once.ts", "in.txt", "--seeds", "30");
  expect(code).toBe(1);
  const found = seeds.find(({ outcome }) => outcome === "failed")!;
  expect(found.changed).toEqual([]);
  expect(found.details.at(-1)).toBe("In the same cluster without faults the output is right.");
  expect(found.advice.join()).toContain("one attempt finds what another has left");
});

test("a job that fails by itself is not simulated, and the record is named", async () => {
  const { code, stdout } = await millrace(["sim", "throws.ts", "in.txt"], { cwd: folder.path });
  expect(code).toBe(1);
  expect(`${stdout}`).toMatch(/^FAIL {5}without faults: no d\n {11}at in\.txt:\d+\n/m);
  expect(`${stdout}`).toMatch(/^skipped {2}the simulation: /m);
  expect(`${stdout}`).not.toContain("seed 1");
  const skipping = await simulated("throws.ts", "in.txt", "--seeds", "2", "--skip-bad", "100");
  expect(skipping.code).toBe(0);
});

test("jobs of several inputs, side files and standard input hold", async () => {
  const data = join(repository, "examples/data");
  const example = (name: string) => join(repository, "examples", name);
  const named = ["--input", `users=${data}/users.csv`, "--input", `orders=${data}/orders.ndjson`];
  expect((await simulated(example("join.ts"), ...named, "--seeds", "2")).code).toBe(0);
  expect((await simulated(example("enrich.ts"), `${data}/orders.ndjson`, "--seeds", "2")).code).toBe(0);
  const { code } = await millrace(["sim", "right.ts", "-", "--seeds", "1"], { cwd: folder.path, input: "aa\nbb\n" });
  expect(code).toBe(0);
});

test("what the job's code throws outside of any call, or waits for in vain, ends it", async () => {
  const late = await millrace(["sim", "late.ts", "in.txt"], { cwd: folder.path });
  expect(late.code).toBe(1);
  expect(`${late.stdout}`).toMatch(
    /^FAIL {5}the job runs in this process: too late\n {11}at a callback or promise that nothing waits for.*\n {11}at .*late\.ts:\d+/m,
  );
  const waits = await millrace(["sim", "waits.ts", "in.txt"], { cwd: folder.path });
  expect([waits.code, `${waits.stdout}`]).toEqual([1, expect.stringContaining("a promise that nothing can settle")]);
});

test("an interrupt ends it", async () => {
  const { code, stderr } = await millrace(["sim", "right.ts", "in.txt", "--seeds", "100000"], {
    cwd: folder.path,
    started: (child) => child.stdout!.once("data", () => child.kill("SIGINT")),
  });
  expect([code, stderr]).toEqual([130, "cancelled: the simulation is not complete\n"]);
});

test("what can't be simulated is said at once", async () => {
  const missing = await simulated("right.ts", "nothing-*.txt");
  expect([missing.code, missing.text]).toEqual([3, expect.stringContaining('no file matches \\"nothing-*.txt\\"')]);
  expect((await simulated("right.ts")).code).toBe(2);
  expect((await simulated("no-job.ts", "in.txt")).code).toBe(2);
  expect((await simulated("right.ts", "in.txt", "--seeds", "0")).code).toBe(2);
  expect((await simulated("right.ts", "in.txt", "--input", "a=in.txt")).code).toBe(2);
});
