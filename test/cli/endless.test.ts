// Commands that call the job's code in a process of their own: an endless loop there, which no slot has met before,
// keeps the thread from hearing of signals. The first one ends the command all the same, and leaves nothing.
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { commandLineOf, type Running, runToEnd, Scratch, start, until } from "../faults/support.ts";
import { repository } from "../support/cli.ts";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  symlinkSync(join(repository, "node_modules"), join(scratch.path, "node_modules"));
  scratch.write("in.txt", "b\na\nb\nb\n");
});
afterEach(() => scratch.remove());

/** Sorts words; in the command's own process it does `fault` at `place`, once, and writes to the mark that it did. */
function writeJob(place: string, fault = "for (;;);"): void {
  scratch.write(
    "job.ts",
    `import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { byRange, defineJob, text, tsv, uint, utf8 } from "millrace";

function at(place: string): void {
  if (place !== ${JSON.stringify(place)} || process.argv[1]!.endsWith("slot.cjs")) return;
  appendFileSync(${JSON.stringify(scratch.mark)}, "now\\n");
  ${fault}
}
at("the module");

export default defineJob({
  name: "endless",
  input: text(),
  output: tsv(),
  key: utf8,
  value: {
    ...uint,
    write(...words: Parameters<typeof uint.write>) {
      at("a codec");
      return uint.write(...words);
    },
  },
  partition: byRange(),
  reducers: 2,
  setup() {
    at("setup");
  },
  map(line, emit) {
    at("map");
    emit(line, 1);
  },
  combine(a, b) {
    at("combine");
    return a + b;
  },
  reduce(key, values, emit) {
    at("reduce");
    let n = 0;
    for (const value of values) n += value;
    emit([key, n]);
  },
});
void spawnSync;
`,
  );
}

const words: Readonly<Record<string, readonly string[]>> = {
  plan: ["plan", "job.ts", "in.txt", "--reducers", "2"],
  test: ["test", "job.ts", "in.txt", "--slots", "1"],
  replay: ["replay", "job.ts", "in.txt:0"],
  sim: ["sim", "job.ts", "in.txt", "--seeds", "1"],
};

/** The command, when its own process is in the loop. */
async function inTheLoop(command: string): Promise<Running> {
  const run = start(scratch, words[command]!);
  let isOver = false;
  void run.ended.then(() => (isOver = true));
  await until(() => scratch.fired > 0 || isOver);
  expect(scratch.fired, run.stderr()).toBe(1);
  // So that `leftovers` knows whose memory folders to look for.
  for (const path of scratch.workFolders(scratch.temporary)) scratch.workFolders(path);
  return run;
}

async function expectEnded(run: Running, signal: NodeJS.Signals): Promise<void> {
  const before = Date.now();
  run.child.kill(signal);
  const { code, signal: endedBy, stderr } = await run.ended;
  expect({ code, endedBy }, stderr).toEqual({ code: 130, endedBy: null });
  expect(stderr).toContain("cancelled");
  // Tasks have ten minutes: it was not that.
  expect(Date.now() - before).toBeLessThan(30_000);
  expect(scratch.leftovers()).toEqual([]);
}

describe.each([
  ["plan", ["the module", "setup", "map"]],
  ["test", ["the module", "setup", "map", "a codec", "combine", "reduce"]],
  ["replay", ["the module", "setup", "map"]],
  ["sim", ["the module", "setup", "map", "a codec", "combine", "reduce"]],
])("millrace %s: the first Ctrl-C ends it while its own process loops for ever", (command, places) => {
  test.each(places)("in %s", { timeout: 90_000 }, async (place) => {
    writeJob(place);
    await expectEnded(await inTheLoop(command), "SIGINT");
  });

  test("so does SIGTERM, with what the job's code waits for", { timeout: 90_000 }, async () => {
    writeJob("map", 'spawnSync("sleep", ["1000"]);');
    const run = await inTheLoop(command);
    await until(() => scratch.processes().some((pid) => commandLineOf(pid).startsWith("sleep")));
    await expectEnded(run, "SIGTERM");
  });
});

describe("a command whose own process loops for ever", () => {
  test("leaves no process when it is killed, and the next one removes its files", { timeout: 90_000 }, async () => {
    writeJob("map");
    const run = await inTheLoop("sim");
    run.child.kill("SIGKILL");
    expect(await run.ended).toMatchObject({ signal: "SIGKILL" });
    await until(() => scratch.processes().length === 0);
    expect(scratch.workFolders(scratch.temporary)).toHaveLength(1);
    writeJob("nowhere");
    expect(await runToEnd(scratch, words["plan"]!)).toMatchObject({ code: 0 });
    expect(scratch.leftovers()).toEqual([]);
  });

  test("says so when that process is killed", { timeout: 90_000 }, async () => {
    writeJob("map");
    const run = await inTheLoop("replay");
    const own = scratch
      .processes()
      .filter((pid) => pid !== run.child.pid && commandLineOf(pid).includes("millrace.js"));
    expect(own).toHaveLength(1);
    process.kill(own[0]!, "SIGKILL");
    const { code, stderr } = await run.ended;
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("was ended by SIGKILL") });
    expect(scratch.leftovers()).toEqual([]);
  });
});
