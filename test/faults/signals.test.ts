// Faults 88 to 91: every signal at every named place, to the command and to its slots; closed pipes; the death of the
// parent. Afterwards no process is left, and no file but what --resume uses.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  commandLineOf,
  failuresOf,
  isRunning,
  jobFile,
  partsOf,
  type Running,
  runToEnd,
  Scratch,
  start,
  until,
} from "./support.ts";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  for (let i = 0; i < 3; i++) scratch.write(`in/${i}.txt`, "one two\nTRIGGER two\n");
});
afterEach(() => scratch.remove());

const counts = "TRIGGER\t3\none\t3\ntwo\t6\n";

/** Three map tasks, two slots. */
function words(fault = "none", more: readonly string[] = []): string[] {
  const params = ["--param", `fault=${fault}`, "--param", `mark=${scratch.mark}`, "--param", "times=1"];
  const sizes = ["--slots", "2", "--memory", "128MB", "--split-size", "1B", "--reducers", "1"];
  return ["run", jobFile("hostile"), "in/*.txt", "-o", "out", "--quiet", ...sizes, ...params, ...more];
}

function slotsOf(run: Running): number[] {
  return scratch.processes().filter((pid) => pid !== run.child.pid && commandLineOf(pid).includes("dist/slot.cjs"));
}

async function expectNobody(): Promise<void> {
  await until(() => scratch.processes().length === 0);
}

async function expectResumed(fault = "none"): Promise<void> {
  expect(await runToEnd(scratch, words(fault, ["--resume"]))).toMatchObject({ code: 0 });
  expect(partsOf(scratch.output)).toBe(counts);
  expect(scratch.leftovers()).toEqual([]);
}

const masterPoints = [
  "master.beforeCommit",
  "master.afterCommit",
  "master.beforePublish",
  "master.afterPublish",
  "worker.beforeStart",
  "worker.beforeReport",
];

describe("fault 88: a signal to the command, at each named place, cancels: nothing is published but what was decided, nothing is left", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // One handler for all three: the others are tried before the decision and after it.
    for (const point of signal === "SIGINT" ? masterPoints : ["master.beforeCommit", "master.beforePublish"]) {
      test(`${signal} at ${point}`, async () => {
        const { code, stderr } = await runToEnd(scratch, words(), {
          env: { MILLRACE_FAILPOINT: `${point}:${signal}` },
        });
        const isDecided = point.endsWith("Publish");
        expect({ code, stderr }).toMatchObject({ code: isDecided ? 0 : 130 });
        expect(existsSync(scratch.output)).toBe(isDecided);
        if (isDecided) expect(partsOf(scratch.output)).toBe(counts);
        expect(scratch.leftovers()).toEqual([]);
      });
    }
  }
});

describe("fault 89: SIGKILL to the command, at each named place: nobody stays, and --resume ends it", () => {
  for (const point of masterPoints) {
    test(point, async () => {
      // The job is submitted by the first commit, and published once. On a busy machine some reports come before there
      // is a job.
      const at = point.endsWith("Publish") ? 1 : point === "worker.beforeReport" ? 5 : 2;
      const env = { MILLRACE_FAILPOINT: `${point}:kill:${at}`, MILLRACE_STATE_MS: "0" };
      const { signal } = await runToEnd(scratch, words(), { env });
      expect(signal).toBe("SIGKILL");
      await expectNobody();
      expect(scratch.workFolders()).toHaveLength(1);
      expect(existsSync(scratch.output)).toBe(point === "master.afterPublish");
      await expectResumed();
    });
  }
});

describe("fault 90: a signal to a slot ends that slot, and costs one attempt", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "kill"]) {
    const others = signal === "kill" ? ["slot.after.map", "slot.before.reduce"] : [];
    for (const point of ["slot.before.map", "slot.after.reduce", ...others]) {
      test(`${signal} at ${point}`, async () => {
        // A later passing of each process: one slot has more than one task of a phase, and its successor gets on. (Of
        // maps the third: the successor begins with the one that was given out ahead, and then has the lost one.)
        const more = ["--json", "--slots", "1", "--reducers", "3"];
        const env = { MILLRACE_FAILPOINT: `${point}:${signal}:${point.endsWith("map") ? 3 : 2}` };
        const { code, stdout } = await runToEnd(scratch, words("none", more), { env });
        expect(code).toBe(0);
        expect(failuresOf(stdout).join()).toMatch(signal === "kill" ? /SIGKILL/ : new RegExp(signal));
        expect(partsOf(scratch.output).split("\n").toSorted().join("\n").trim()).toBe(counts.trim());
        expect(scratch.leftovers()).toEqual([]);
      });
    }
  }

  test("where each one dies while it plans, the job fails and says so", async () => {
    const env = { MILLRACE_FAILPOINT: "slot.before.plan:SIGTERM" };
    const { code, stderr } = await runToEnd(scratch, words(), { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/SIGTERM/);
    expect(existsSync(scratch.output)).toBe(false);
    await expectNobody();
  });
});

describe("faults 88, 89: while the job's code is busy", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`${signal} cancels, and takes the slots along`, async () => {
      const run = start(scratch, words("loop"));
      await until(() => scratch.fired === 1);
      const slots = slotsOf(run);
      expect(slots.length).toBeGreaterThan(0);
      run.child.kill(signal);
      expect(await run.ended).toMatchObject({ code: 130 });
      expect(slots.filter(isRunning)).toEqual([]);
      expect(existsSync(scratch.output)).toBe(false);
      expect(scratch.leftovers()).toEqual([]);
    });
  }

  test("a second SIGINT ends it at once; what is left goes with the next run", async () => {
    const run = start(scratch, words("loop"));
    await until(() => scratch.fired === 1);
    run.child.kill("SIGINT");
    await until(() => run.child.kill("SIGINT") === false || run.child.exitCode !== null);
    expect(await run.ended).toMatchObject({ code: 130 });
    await expectNobody();
    expect(existsSync(scratch.output)).toBe(false);
    expect(await runToEnd(scratch, words())).toMatchObject({ code: 0 });
    expect(partsOf(scratch.output)).toBe(counts);
    expect(scratch.leftovers()).toEqual([]);
  });

  for (const fault of ["loop", "regex", "spawn-sync"]) {
    test(`SIGKILL of their parent leaves no slot in ${fault}, nor what it started`, async () => {
      const run = start(scratch, words(fault));
      await until(() => scratch.fired === 1);
      const isThere = (pid: number) => fault !== "spawn-sync" || commandLineOf(pid).startsWith("sleep");
      await until(() => scratch.processes().some(isThere));
      const slots = slotsOf(run);
      run.child.kill("SIGKILL");
      expect(await run.ended).toMatchObject({ signal: "SIGKILL" });
      await expectNobody();
      expect(slots.filter(isRunning)).toEqual([]);
      await expectResumed(fault); // which has happened as often as it shall
    });
  }
});

test("fault 88: SIGINT while the job file is being read leaves nothing", async () => {
  const run = start(scratch, words());
  await until(() => scratch.workFolders().length > 0);
  run.child.kill("SIGINT");
  expect(await run.ended).toMatchObject({ code: 130 });
  expect(scratch.leftovers()).toEqual([]);
});

describe("fault 91: closed pipes", () => {
  for (const closed of ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"]) {
    test(`${closed} at the start`, async () => {
      const under = ["sh", "-c", `exec "$@" ${closed}`, "sh"];
      expect(await runToEnd(scratch, words(), { under })).toMatchObject({ code: 0 });
      expect(partsOf(scratch.output)).toBe(counts);
      expect(scratch.leftovers()).toEqual([]);
    });
  }

  test("SIGPIPE: who reads the result has had enough: that is no failure, and nothing is left", async () => {
    // More than a pipe holds, so that the rest is written after the reader has gone.
    writeFileSync(join(scratch.input, "big.txt"), Array.from({ length: 60_000 }, (_, i) => `${word(i)}\n`).join(""));
    const run = start(
      scratch,
      words("none", ["--split-size", "1MB"]).filter((name) => name !== "-o" && name !== "out"),
    );
    run.child.stdout!.once("data", () => run.child.stdout!.destroy());
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.length).toBeGreaterThan(0);
    expect(stdout.length).toBeLessThan(500_000);
    expect(scratch.leftovers()).toEqual([]);
  });

  test("SIGPIPE: who reads the progress has gone: the run goes on to its end", async () => {
    const go = join(scratch.path, "go");
    const loud = words("busy", ["--json", "--param", `path=${go}`]).filter((name) => name !== "--quiet");
    const run = start(scratch, loud);
    run.child.stdout!.once("data", () => run.child.stdout!.destroy());
    await until(() => run.child.stdout!.destroyed && scratch.fired === 1);
    writeFileSync(go, "");
    expect((await run.ended).code).toBe(0);
    expect(partsOf(scratch.output)).toBe(counts);
    expect(scratch.leftovers()).toEqual([]);
  });
});

/** Another word of letters for each number. */
function word(n: number): string {
  return `w${[...String(n).padStart(6, "0")].map((digit) => String.fromCharCode(97 + Number(digit))).join("")}`;
}
