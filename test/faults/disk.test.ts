// Disks and files that fail (faults 59 to 68), with the built command. Small file systems are mounted in a private view
// of the mounts.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canMount, jobFile, partsOf, plainUser, runToEnd, Scratch, start, withSmall } from "./support.ts";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

const lines = (count: number) => Array.from({ length: count }, (_, i) => `${(i * 7919) % count} ${"x".repeat(90)}\n`);

/** The folder that small file systems are mounted at. */
const small = () => join(scratch.path, "small");

function words(job: string, more: readonly string[]): string[] {
  return ["run", jobFile(job), "in", "--quiet", "--slots", "1", "--memory", "64MB", "--reducers", "1", ...more];
}

function hostile(fault: string, more: readonly string[] = []): string[] {
  const params = [`fault=${fault}`, `mark=${scratch.mark}`, "times=1"].flatMap((param) => ["--param", param]);
  return words("hostile", ["-o", "out", ...params, ...more]);
}

// Where mounting isn't allowed (a container without rights) these can't be had; where all has to be tested they must
// not be left out.
describe.skipIf(!canMount() && process.env["CI"] !== "true")("small file systems (needs the right to mount)", () => {
  beforeEach(() => {
    mkdirSync(small());
    scratch.write("in/a.txt", lines(100_000).join("")); // 9.5 MB
  });

  test("fault 60: a full disk of the output fails the job by name, and publishes nothing", async () => {
    const listed = join(scratch.path, "listed");
    const under = withSmall({ [small()]: "6m" }, `find '${small()}' -name _SUCCESS -o -name 'part-*' > '${listed}'`);
    const { code, stderr } = await runToEnd(scratch, words("plain", ["-o", "small/out"]), { under });
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/small\/.*no space|no space.*small\//is),
    });
    expect(readFileSync(listed, "utf8")).toBe("");
  });

  test("fault 60: a full work folder fails the job by name", async () => {
    const under = withSmall({ [small()]: "6m", "/dev/shm": "1m" });
    const { code, stderr } = await runToEnd(scratch, words("plain", ["-o", "out", "--work-dir", "small"]), { under });
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/small.* is full \(ENOSPC\).*--work-dir/),
    });
    expect(existsSync(scratch.output)).toBe(false);
    expect(scratch.processes()).toEqual([]);
  });

  test("fault 60: a full memory tier overflows to disk, and nobody notices", async () => {
    const under = withSmall({ "/dev/shm": "2m" });
    expect(await runToEnd(scratch, words("plain", ["-o", "out"]), { under })).toMatchObject({ code: 0, stderr: "" });
    expect(statSync(join(scratch.output, "part-00000.tsv")).size).toBeGreaterThan(9_000_000);
    expect(manifestOf(scratch.output).stats.map.diskRunBytes).toBeGreaterThan(0);
    expect(scratch.leftovers()).toEqual([]);
  });

  test("fault 63: work folder and output on different file systems", async () => {
    const under = withSmall({ [small()]: "64m", "/dev/shm": "1m" });
    expect(await runToEnd(scratch, words("plain", ["-o", "out", "--work-dir", "small"]), { under })).toMatchObject({
      code: 0,
    });
    expect(manifestOf(scratch.output).stats.map.diskRunBytes).toBeGreaterThan(0);
    expect(scratch.leftovers()).toEqual([]);
  });
});

describe("fault 61: folders and files that can't be had", () => {
  test("an output's parent that may not be written is said before any work", async () => {
    scratch.write("in/a.txt", "TRIGGER\n");
    for (const path of [scratch.temporary]) chmodSync(path, 0o777);
    chmodSync(scratch.path, 0o755);
    mkdirSync(join(scratch.path, "closed"), { mode: 0o555 });
    const run = hostile("none").map((word) => (word === "out" ? "closed/out" : word));
    const { code, stderr } = await runToEnd(scratch, run, plainUser);
    expect({ code, stderr }).toMatchObject({
      code: expect.any(Number),
      stderr: expect.stringMatching(/closed.*(EACCES|may not|permission)/s),
    });
    expect(code).not.toBe(0);
    expect(scratch.fired).toBe(0);
    expect(scratch.leftovers()).toEqual([]);
  });

  test("too few open files fail the job by name, and --resume goes on with more", async () => {
    // As many runs as files, all of which a reduce opens.
    for (let i = 0; i < 100; i++) scratch.write(`in/${i}.txt`, lines(200).join(""));
    const under = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"];
    const run = words("plain", ["-o", "out", "--split-size", "20KB"]);
    const { code, stderr } = await runToEnd(scratch, run, { under });
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringMatching(/\(EMFILE\).*ulimit -n/) });
    expect(scratch.processes()).toEqual([]);
    expect(existsSync(scratch.output)).toBe(false);
    expect(await runToEnd(scratch, [...run, "--resume"])).toMatchObject({ code: 0 });
    expect(partsOf(scratch.output).split("\n")).toHaveLength(20_001);
    expect(scratch.leftovers()).toEqual([]);
  });

  test("runs that are removed while the job runs are made again", async () => {
    scratch.write("in/a.txt", "one TRIGGER\n");
    scratch.write("in/b.txt", "two\n");
    const { code, stderr } = await runToEnd(scratch, hostile("remove-runs", ["--split-size", "1B"]));
    expect(scratch.fired).toBe(1);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(partsOf(scratch.output)).toBe("TRIGGER\t1\none\t1\ntwo\t1\n");
    expect(scratch.processes()).toEqual([]);
  });
});

describe("fault 62: an output that exists", () => {
  test("is refused before any work", async () => {
    scratch.write("in/a.txt", "TRIGGER\n");
    mkdirSync(scratch.output);
    scratch.write("out/theirs.txt", "theirs");
    const { code, stderr } = await runToEnd(scratch, hostile("none"));
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/out.*output-exists/s) });
    expect(scratch.fired).toBe(0);
    expect(readdirSync(scratch.output)).toEqual(["theirs.txt"]);
    expect(scratch.leftovers()).toEqual([]);
  });

  test("and again at the end, when somebody made it meanwhile", async () => {
    scratch.write("in/a.txt", "TRIGGER\n");
    const { code, stderr } = await runToEnd(scratch, hostile("take-output", ["--param", `path=${scratch.output}`]));
    expect(scratch.fired).toBe(1);
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/out/) });
    expect(readdirSync(scratch.output)).toEqual(["theirs.txt"]);
    expect(scratch.processes()).toEqual([]);
  });
});

test("fault 65: who looks at any time sees no output, or all of it", async () => {
  scratch.write("in/a.txt", lines(2_000).join(""));
  const run = start(scratch, words("plain", ["-o", "out", "--reducers", "50"]));
  const seen = { absent: 0, whole: 0, broken: 0 };
  let isRunning = true;
  const ended = run.ended.finally(() => {
    isRunning = false;
  });
  while (isRunning || seen.whole === 0) {
    for (let i = 0; i < 20; i++) seen[look(scratch.output)]++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await ended).toMatchObject({ code: 0 });
  expect(seen).toMatchObject({ absent: expect.any(Number), broken: 0 });
  expect(Math.min(seen.absent, seen.whole)).toBeGreaterThan(0);
});

test("fault 66: after 20 kills and one run to the end nothing is left beside the output, in the temporary folder or in memory", async () => {
  for (let i = 0; i < 4; i++) scratch.write(`in/${i}.txt`, "one two\ntwo\n");
  const points = ["master.afterCommit", "worker.beforeStart", "master.beforeCommit", "worker.beforeReport"];
  const toOutput = hostile("none", ["--split-size", "1B"]);
  const toStdout = toOutput.filter((word) => word !== "-o" && word !== "out");
  let killed = 0;
  for (let i = 0; i < 20; i++) {
    const point = `${points[i % 4]}:kill:${1 + (i % 5)}`;
    // New ones and ones that go on in turn, and some whose result goes to standard output.
    const run =
      i % 5 === 4 ? toStdout : i % 2 === 0 || scratch.workFolders().length === 0 ? toOutput : [...toOutput, "--resume"];
    const { signal } = await runToEnd(scratch, run, { env: { MILLRACE_FAILPOINT: point } });
    if (signal === "SIGKILL") killed++;
    scratch.workFolders(scratch.temporary);
  }
  expect(killed).toBeGreaterThanOrEqual(15);
  expect(scratch.leftovers().length).toBeGreaterThan(0);
  expect(await runToEnd(scratch, toStdout)).toMatchObject({ code: 0, stdout: "one\t4\ntwo\t8\n" });
  expect(await runToEnd(scratch, toOutput)).toMatchObject({ code: 0 });
  expect(scratch.leftovers()).toEqual([]);
  expect(readdirSync(scratch.path).toSorted()).toEqual(["in", "out", "tmp"]);
}, 120_000);

describe("fault 68: paths with white space, line ends, signs and any letters", () => {
  const names = [
    "a b\tc",
    "new\nline",
    "#?%&=;",
    `"quotes"'`,
    "$(touch gotcha)`touch gotcha`",
    "é日本😀",
    "-o",
    "*[x]?{a,b}",
  ];
  for (const name of names) {
    test(JSON.stringify(name), async () => {
      const folder = join(scratch.path, name);
      mkdirSync(folder);
      copyFileSync(jobFile("plain"), join(folder, "job.ts"));
      scratch.write(join(name, "data.txt"), "b\na\n");
      const from = (path: string) => `./${join(name, path)}`;
      const run = ["run", from("job.ts"), from("data.txt"), "-o", from("out"), "--work-dir", from("."), "--quiet"];
      expect(await runToEnd(scratch, run)).toMatchObject({ code: 0, stderr: "" });
      expect(partsOf(join(folder, "out"))).toBe("a\t\nb\t\n");
      expect(readdirSync(folder).toSorted()).toEqual(["data.txt", "job.ts", "out"]);
      // S5: nothing took a name for a command.
      expect(readdirSync(scratch.path).toSorted()).toEqual(["in", name, "tmp"].toSorted());
    });
  }
});

interface Manifest {
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly stats: { readonly map: { readonly diskRunBytes: number } };
}

function manifestOf(output: string): Manifest {
  return JSON.parse(readFileSync(join(output, "_SUCCESS"), "utf8"));
}

function look(output: string): "absent" | "whole" | "broken" {
  if (!existsSync(output)) return "absent";
  try {
    const { files } = manifestOf(output);
    const isWhole =
      files.length === 50 && files.every(({ name, bytes }) => statSync(join(output, name)).size === bytes);
    return isWhole ? "whole" : "broken";
  } catch {
    return "broken";
  }
}
