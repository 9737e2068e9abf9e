// Runs that are killed while their state is in memory, or moves to disk (fault 32): whatever the moment, --resume goes
// on or begins again and says which, and what the user had before is there. Runs whose state was on disk are in
// test/process/resume.test.ts and signals.test.ts.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, jobFile, partsOf, runToEnd, Scratch, start, until } from "./support.ts";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  for (let i = 0; i < 3; i++) scratch.write(`in/${i}.txt`, "one two\nTRIGGER two\n");
});
afterEach(() => scratch.remove());

const counts = "TRIGGER\t3\none\t3\ntwo\t6\n";
/** However slow the machine is, the state stays in memory. */
const inMemory = { MILLRACE_STATE_MS: "600000" };

function words(more: readonly string[] = [], inputs: readonly string[] = ["in/*.txt"], fault = "none"): string[] {
  const params = ["--param", `fault=${fault}`, "--param", `mark=${scratch.mark}`, "--param", "times=1"];
  const sizes = ["--slots", "1", "--memory", "128MB", "--split-size", "1B", "--reducers", "1"];
  return ["run", jobFile("hostile"), ...inputs, "-o", "out", "--quiet", ...sizes, ...params, ...more];
}

async function killedAt(point: string, given = words(), env: Readonly<Record<string, string>> = inMemory) {
  const { signal, stderr } = await runToEnd(scratch, given, { env: { ...env, MILLRACE_FAILPOINT: `${point}:kill` } });
  expect(signal, stderr).toBe("SIGKILL");
  await until(() => scratch.processes().length === 0);
}

const states = () => scratch.workFolders().filter((folder) => existsSync(join(folder, "state")));

function expectWhole({ code, stderr }: Ended, begins: boolean): void {
  expect(code, stderr).toBe(0);
  expect(stderr.includes("the job begins again"), stderr).toBe(begins);
  expect(partsOf(scratch.output)).toBe(counts);
  expect(scratch.leftovers()).toEqual([]);
}

test("a run that ends while its state is in memory leaves none, and a failed one leaves it whole", async () => {
  const run = start(scratch, words([], undefined, "busy").concat("--param", `path=${join(scratch.path, "go")}`), {
    env: inMemory,
  });
  await until(() => scratch.fired === 1);
  expect(scratch.workFolders()).toHaveLength(1);
  expect(states()).toEqual([]);
  writeFileSync(join(scratch.path, "go"), "");
  expectWhole(await run.ended, false);

  rmSync(scratch.output, { recursive: true });
  const failing = words([], ["in/*.txt"], "no-such-fault").map((word) => (word === "times=1" ? "times=9" : word));
  const failed = await runToEnd(scratch, failing, { env: inMemory });
  expect(failed.code, failed.stderr).toBe(1);
  expect(failed.stderr).toContain("what it has done is kept until a run with this output succeeds");
  expect(states()).toHaveLength(1);
});

describe("fault 32: killed while the state is in memory", () => {
  for (const point of ["master.afterCommit", "worker.beforeReport", "slot", "master.beforePublish"]) {
    test(`${point}: --resume says that it begins again, and does`, async () => {
      if (point === "slot") {
        const run = start(scratch, words([], undefined, "loop"), { env: inMemory });
        await until(() => scratch.fired === 1);
        run.child.kill("SIGKILL");
        await run.ended;
        await until(() => scratch.processes().length === 0);
      } else await killedAt(point);
      expect(scratch.workFolders()).toHaveLength(1);
      expect(states()).toEqual([]);
      expectWhole(await runToEnd(scratch, words(["--resume"])), true);
    });
  }

  test("again and again: nothing piles up, and each --resume begins again", async () => {
    await killedAt("master.afterCommit");
    await killedAt("worker.beforeReport", words(["--resume"]));
    await killedAt("master.beforePublish", words(["--resume"]));
    expect(scratch.workFolders()).toHaveLength(1);
    expectWhole(await runToEnd(scratch, words(["--resume"])), true);
  });

  test("after its output was published: that is said, the output stays, and what was left goes", async () => {
    await killedAt("master.afterPublish");
    const before = statSync(scratch.output).ino;
    expectWhole(await runToEnd(scratch, words(["--resume"])), false);
    expect(statSync(scratch.output).ino).toBe(before);
  });

  test("while --overwrite had the old output aside: the old one is back until the new one is there", async () => {
    mkdirSync(join(scratch.path, "old"));
    writeFileSync(join(scratch.path, "old", "a.txt"), "old\n");
    expect(await runToEnd(scratch, words([], ["old"]))).toMatchObject({ code: 0 });
    await killedAt("master.beforePublish", words(["--overwrite"]));
    // What publishing does next: storage/local/publish.ts.
    const [work] = scratch.workFolders();
    renameSync(scratch.output, join(work!, "staging", "replaced"));
    const refused = await runToEnd(scratch, words(["--overwrite", "--resume"], ["gone/*.txt"]));
    expect(refused.code, refused.stderr).toBe(3);
    expect(partsOf(scratch.output)).toBe("old\t1\n");
    expect(scratch.leftovers()).toEqual([]);
    expect(await runToEnd(scratch, words(["--overwrite"]))).toMatchObject({ code: 0 });
    expect(partsOf(scratch.output)).toBe(counts);
  });

  test("between the publishing of its dead letters and of its output: both are there in the end", async () => {
    const letters = ["--skip-bad", "1", "--dead-letters", "bad"];
    const given = (more: readonly string[] = []) => words([...letters, ...more], undefined, "no-such-fault");
    await killedAt("master.afterPublish", given());
    rmSync(scratch.output, { recursive: true });
    expect(readdirSync(join(scratch.path, "bad"))).toContain("_SUCCESS");
    const resumed = await runToEnd(scratch, given(["--resume"]));
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain("the job begins again");
    expect(existsSync(join(scratch.output, "_SUCCESS"))).toBe(true);
    expect(readdirSync(join(scratch.path, "bad"))).toContain("_SUCCESS");
    expect(scratch.leftovers()).toEqual([]);
  });

  test("standard input, which can't be read twice, is taken over", async () => {
    const input = readdirSync(scratch.input).map((name) => readFileSync(join(scratch.input, name), "utf8"));
    const run = start(scratch, words([], ["-"], "loop"), { env: inMemory, stdin: "pipe" });
    run.child.stdin!.end(input.join(""));
    await until(() => scratch.fired === 1);
    run.child.kill("SIGKILL");
    await run.ended;
    await until(() => scratch.processes().length === 0);
    expectWhole(await runToEnd(scratch, words(["--resume"], ["-"])), true);
  });

  test("FIFOs, which can't be read twice either, are taken over, in whichever order they are given", async () => {
    const record = "one two\nTRIGGER two\n";
    execFileSync("mkfifo", ["a.fifo", "b.fifo"], { cwd: scratch.path });
    const run = start(scratch, words([], ["a.fifo", "b.fifo"], "loop"), { env: inMemory });
    const writers = [
      ["a.fifo", record],
      ["b.fifo", record.repeat(2)],
    ].map(([name, content]) => {
      const child = spawn("sh", ["-c", `cat > ${name}`], { cwd: scratch.path, stdio: ["pipe", "ignore", "ignore"] });
      child.stdin.end(content);
      return new Promise((resolve) => child.once("close", resolve));
    });
    await Promise.all(writers);
    await until(() => scratch.fired === 1);
    run.child.kill("SIGKILL");
    await run.ended;
    await until(() => scratch.processes().length === 0);
    // Nothing writes to them any more: a run that opened them would wait for ever.
    expectWhole(await runToEnd(scratch, words(["--resume"], ["b.fifo", "a.fifo"])), true);
  });

  test("standard input of a run that had published is not asked for again", async () => {
    const env = { ...inMemory, MILLRACE_FAILPOINT: "master.afterPublish:kill" };
    const run = start(scratch, words([], ["-"]), { env, stdin: "pipe" });
    run.child.stdin!.end("one two\nTRIGGER two\n".repeat(3));
    expect((await run.ended).signal).toBe("SIGKILL");
    await until(() => scratch.processes().length === 0);
    expectWhole(await runToEnd(scratch, words(["--resume"], ["-"])), false);
  });

  test("standard input that had not come to its end is not taken for the whole", async () => {
    const run = start(scratch, words([], ["-"]), { env: inMemory, stdin: "pipe" });
    run.child.stdin!.write("half\n");
    const half = () => scratch.workFolders().some((folder) => existsSync(join(folder, "standard-input.part")));
    await until(half);
    run.child.kill("SIGKILL");
    await run.ended;
    await until(() => scratch.processes().length === 0);
    const resumed = start(scratch, words(["--resume"], ["-"]), { stdin: "pipe" });
    resumed.child.stdin!.end("one two\nTRIGGER two\n".repeat(3));
    expectWhole(await resumed.ended, true);
  });
});

describe("fault 32: killed while the state moves to disk", () => {
  for (const [point, begins] of [
    ["state.beforeMove", true],
    ["state.beforeRename", true],
    ["state.afterRename", false],
  ] as const) {
    test(`${point}: the state is there whole, or not at all`, async () => {
      const given = (more: readonly string[] = []) =>
        words(["--param", `path=${join(scratch.path, "go")}`, ...more], undefined, "busy");
      await killedAt(point, given(), { MILLRACE_STATE_MS: "700" });
      expect(states()).toHaveLength(begins ? 0 : 1);
      writeFileSync(join(scratch.path, "go"), "");
      expectWhole(await runToEnd(scratch, given(["--resume"])), begins);
    });
  }

  test("a full second later it is on disk by itself, and what was done is not done again", async () => {
    const go = join(scratch.path, "go");
    const given = (more: readonly string[] = []) => words(["--param", `path=${go}`, ...more], undefined, "busy");
    const run = start(scratch, given());
    await until(() => scratch.fired === 1 && states().length === 1);
    run.child.kill("SIGKILL");
    await run.ended;
    await until(() => scratch.processes().length === 0);
    writeFileSync(go, "");
    expectWhole(await runToEnd(scratch, given(["--resume"])), false);
  });
});
