import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settled } from "../../../test/support/fake-clock.ts";
import { MillraceError } from "../../base/error.ts";
import { type AttemptId, attemptName, type Phase } from "../../base/ids.ts";
import { limits, MiB } from "../../base/limits.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { JobSpec } from "../../job/spec.ts";
import type {
  Assignment,
  AttemptDone,
  AttemptResult,
  FailureText,
  WorkerOrders,
  WorkerReport,
} from "../../protocol/messages.ts";
import { noStats } from "../../protocol/stats.ts";
import type { RunAttempt } from "../../slot/messages.ts";
import type { PageContent } from "../../slot/status-page.ts";
import type { RunRef } from "../../sort/run.ts";
import { FileRunStore } from "../disk/file-run-store.ts";
import { planBudget } from "../slots/budget.ts";
import type { KillReason } from "../slots/death.ts";
import type { Bundle, TaskSlot } from "../slots/task-slot.ts";
import { type Agent, type AgentOptions, startAgent } from "./agent.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-agent-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

let hangingLoads = false;
/** What the next loads fail of. */
let failingLoads: MillraceError[] = [];
/** Killed processes take their time to end. */
let lingering = false;
afterEach(() => {
  hangingLoads = false;
  failingLoads = [];
  lingering = false;
});

/** Answers nothing by itself: the test ends each attempt. */
class FakeSlot implements TaskSlot {
  readonly pid = 1000;
  isAlive = true;
  bundle: Bundle | undefined;
  readonly ended: Promise<FailureText>;
  readonly ran: RunAttempt[] = [];
  killedFor: KillReason | undefined;
  /** Why. */
  isStopping: string | undefined;
  pageNow: PageContent | undefined;
  #finish: ((result: AttemptResult) => void) | undefined;
  #end: (death: FailureText) => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  async load(bundle: Bundle): Promise<void> {
    this.bundle = bundle;
    if (hangingLoads) throw await this.ended;
    const failed = failingLoads.shift();
    if (failed !== undefined) throw failed;
  }

  async describe(): Promise<JobDescription> {
    return {} as JobDescription;
  }

  run(request: RunAttempt): Promise<AttemptResult> {
    this.ran.push(request);
    return new Promise((resolve) => (this.#finish = resolve));
  }

  async validate(): Promise<undefined> {}

  async settle(): Promise<void> {}

  stop(why: string): void {
    this.isStopping = why;
  }

  kill(reason: KillReason): void {
    this.isAlive = false;
    this.killedFor ??= reason;
    if (!lingering) this.end();
  }

  /** The process is gone. */
  end(): void {
    this.isAlive = false;
    const attempt = this.ran.at(-1)?.assignment.attempt;
    const error = text("killed");
    if (attempt !== undefined)
      this.#finish?.({ attempt, ok: false, reason: { kind: "slot-died", error, at: undefined, careful: false } });
    this.#end(error);
  }

  page(): PageContent | undefined {
    return this.pageNow;
  }

  /** `meanwhile` is given the path of the run, before the agent hears of it. */
  finish(result: Partial<AttemptResult> = {}, meanwhile?: (run: string) => void): void {
    const { assignment, diskDirectory } = this.ran.at(-1)!;
    const done = doneOf(assignment, diskDirectory);
    if (done.run !== undefined) meanwhile?.(done.run.path);
    this.#finish?.({ ...done, ...result } as AttemptResult);
  }
}

/** A success as it must be: of a map with a run that is there. */
function doneOf({ attempt, work }: Assignment, disk: string): AttemptDone {
  const base = { attempt, ok: true, staged: [], deadLetters: [], counters: {}, stats: noStats } as const;
  switch (work.phase) {
    case "plan":
      return { ...base, plan: { files: [], splits: [], boundaries: [], partitions: 1 } };
    case "map": {
      const run = runAt(attempt, join(disk, `${attemptName(attempt)}.run`), 1);
      return { ...base, run, emissionDigest: 7n };
    }
    case "reduce":
      return { ...base, mapVersion: work.mapVersion };
  }
}

function runAt(writtenBy: AttemptId, path: string, bytes: number): RunRef {
  writeFileSync(path, "");
  truncateSync(path, bytes);
  return { writtenBy, path, bytes, pairs: 1 };
}

/** Holds the newest call open; `answer` gives it its orders. */
class FakeMaster {
  readonly reports: WorkerReport[] = [];
  #answer: ((orders: WorkerOrders) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  heartbeat(report: WorkerReport): Promise<WorkerOrders> {
    this.reports.push(report);
    this.#answer?.(noOrders); // as the real one ends the older call
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
    });
  }

  get last(): WorkerReport {
    return this.reports.at(-1)!;
  }

  async answer(orders: Partial<WorkerOrders> = {}): Promise<void> {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.({ ...noOrders, ...orders });
    await settled();
  }

  async fail(): Promise<void> {
    this.#answer = undefined;
    this.#fail?.(new Error("no connection"));
    await settled();
  }
}

const noOrders: WorkerOrders = {
  epoch: 1,
  start: [],
  stop: [],
  holders: [],
  discard: [],
  settle: [],
  leaseMs: 10_000,
  drain: false,
};
const spec = { name: "job", bundle: "digest", inputs: [] as JobSpec["inputs"] } as JobSpec;

function text(message: string): FailureText {
  return { code: "slot-died", message, stack: undefined, where: undefined, excerpt: undefined };
}

function attemptOf(attempt: number, phase: Phase = "map", job = "j"): AttemptId {
  return { job, phase, index: attempt, epoch: 1, attempt };
}

function assignmentOf(attempt: AttemptId, mapVersion = 1): Assignment {
  const work =
    attempt.phase === "reduce"
      ? { phase: "reduce", partitions: 1, mapVersion }
      : { phase: attempt.phase, partitions: 1, split: [], files: {} };
  return { attempt, spec, careful: false, work } as unknown as Assignment;
}

interface World {
  readonly agent: Agent;
  readonly master: FakeMaster;
  readonly slots: FakeSlot[];
  readonly clock: FakeClock;
  readonly memory: string;
}

function start(slotsMax = 2, options: Partial<AgentOptions> = {}): World {
  const master = new FakeMaster();
  const clock = new FakeClock();
  const slots: FakeSlot[] = [];
  const memory = join(directory, "memory");
  for (const path of [memory, join(directory, "disk"), join(directory, "slots")]) mkdirSync(path, { recursive: true });
  const budget = planBudget({ slots: slotsMax, memoryBytes: 64 * MiB * slotsMax });
  const agent = startAgent({
    worker: "w",
    incarnation: 1,
    address: "",
    master,
    clock,
    budget,
    runs: new FileRunStore({
      memory,
      disk: join(directory, "disk"),
      slots: join(directory, "slots"),
      checkpoints: { memory: undefined, disk: join(directory, "checkpoints") },
      tierBytes: budget.tierBytes,
      slotsMax: budget.slots,
    }),
    random: () => 0.5,
    openSlot: () => {
      const slot = new FakeSlot();
      slots.push(slot);
      return slot;
    },
    bundle: async () => ({ path: "/bundle.mjs", digest: "digest", environment: {} }),
    residentBytes: () => 0,
    ...options,
  });
  return { agent, master, slots, clock, memory };
}

describe("the agent", () => {
  test("starts what it is ordered to and says so at once", async () => {
    const { agent, master, slots } = start();
    expect(master.last).toMatchObject({ sequence: 1, slots: 2, slotsFree: 2, running: [] });
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    expect(slots[0]!.ran).toHaveLength(1);
    expect(master.last).toMatchObject({ slotsFree: 1, running: [{ attempt: attemptOf(1) }] });
    await agent.close();
  });

  test("begins what it took beyond its slots when one is free; until then no time passes for it", async () => {
    const { agent, master, slots, clock } = start(1, { slotsAhead: 1 });
    expect(master.last).toMatchObject({ slots: 1, slotsFree: 1, slotsAhead: 1 });
    await master.answer({ start: [1, 2, 3].map((attempt) => assignmentOf(attemptOf(attempt))) });
    const attempts = (list: readonly { readonly attempt: AttemptId }[]) => list.map(({ attempt }) => attempt.attempt);
    expect(attempts(master.last.running)).toEqual([1, 2]); // the third is one too many
    await clock.pass(700);
    slots[0]!.finish();
    await settled();
    expect(slots).toHaveLength(1);
    expect(attempts(slots[0]!.ran.map(({ assignment }) => assignment))).toEqual([1, 2]);
    expect(attempts(master.last.finished)).toEqual([1]);
    expect(master.last.running).toMatchObject([{ attempt: attemptOf(2), idleMs: 0, runningMs: 0 }]);
    await clock.pass(300);
    await master.fail(); // it reports again
    await clock.pass(100);
    expect(master.last.running[0]!.runningMs).toBeGreaterThanOrEqual(300);
    await agent.close();
  });

  test("an attempt that waits for a slot can be stopped, and never begins", async () => {
    const { agent, master, slots } = start(1, { slotsAhead: 1 });
    await master.answer({ start: [1, 2].map((attempt) => assignmentOf(attemptOf(attempt))) });
    await master.answer({ stop: [{ attempt: attemptOf(2), why: "another has won" }] });
    expect(master.last.running).toMatchObject([{ attempt: attemptOf(1) }]);
    slots[0]!.finish();
    await settled();
    expect(slots[0]!.ran).toHaveLength(1);
    expect(master.last).toMatchObject({ running: [], finished: [{ attempt: attemptOf(1) }] });
    await agent.close();
  });

  test("fault 3: a finished attempt is reported until a reply acknowledges the report that had it", async () => {
    const { agent, master, slots, clock } = start();
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    slots[0]!.finish();
    await settled();
    expect(master.last.finished).toHaveLength(1);
    await master.fail();
    await clock.pass(100);
    expect(master.last.finished).toHaveLength(1);
    await master.answer();
    expect(master.last.finished).toHaveLength(0);
    await agent.close();
  });

  test("fault 5: an order that comes twice, or late, starts no attempt again", async () => {
    const { agent, master, slots } = start();
    const order = { start: [assignmentOf(attemptOf(1))] };
    await master.answer(order);
    await master.answer(order);
    slots[0]!.finish();
    await settled();
    await master.answer(order);
    await master.answer(order);
    expect(slots.flatMap((slot) => slot.ran)).toHaveLength(1);
    await agent.close();
  });

  test("fault 33, I3: orders of a lower epoch than the highest seen are not followed", async () => {
    const { agent, master, slots, clock } = start();
    await master.answer({ epoch: 5 });
    await master.answer({ epoch: 4, start: [assignmentOf(attemptOf(1))], discard: ["j"] });
    expect(slots).toHaveLength(0);
    await clock.pass(100); // a deposed leader is not asked again at once
    await master.answer({ epoch: 5, start: [assignmentOf(attemptOf(1))] });
    expect(slots).toHaveLength(1);
    await agent.close();
  });

  test("a run that someone removed before its agent looked is the machine's failure; one that lies elsewhere is the job's", async () => {
    const { agent, master, slots } = start(2);
    await master.answer({ start: [assignmentOf(attemptOf(1)), assignmentOf(attemptOf(2))] });
    const writtenBy = (slot: FakeSlot) => slot.ran[0]!.assignment.attempt;
    const [first, second] = slots as [FakeSlot, FakeSlot];
    first.finish({}, (path) => rmSync(path));
    const elsewhere = join(second.ran[0]!.diskDirectory, "..", "other.run");
    second.finish({ run: runAt(writtenBy(second), elsewhere, 1) });
    await settled();
    expect(
      master.last.finished.map((result) => (result.ok ? "ok" : [result.reason.kind, result.reason.error.code])),
    ).toEqual([
      ["infrastructure", "segment-lost"],
      ["fatal", "bad-report"],
    ]);
    await agent.close();
  });

  test("I11: never runs more than it has slots", async () => {
    const { agent, master, slots } = start(2);
    await master.answer({ start: [1, 2, 3].map((n) => assignmentOf(attemptOf(n))) });
    expect(slots.flatMap((slot) => slot.ran)).toHaveLength(2);
    expect(master.last.running).toHaveLength(2);
    await agent.close();
  });

  test("a slot is used again within its job and never by another", async () => {
    const { agent, master, slots } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    slots[0]!.finish();
    await settled();
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    expect(slots).toHaveLength(1);
    slots[0]!.finish();
    await settled();
    await master.answer({ start: [assignmentOf(attemptOf(3, "map", "other"))] });
    expect(slots).toHaveLength(2);
    expect(slots[0]!.killedFor).toEqual({ kind: "stopped" });
    expect(slots[1]!.ran).toHaveLength(1);
    await agent.close();
  });

  test("slots of a job that is over are replaced by such that know no job yet", async () => {
    const { agent, master, slots } = start(2, { spareSlots: true });
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    slots[0]!.finish();
    await settled();
    await master.answer({ discard: ["j"] });
    await master.answer({ discard: ["j"] });
    expect(slots.map(({ isAlive, bundle }) => [isAlive, bundle?.digest])).toEqual([
      [false, "digest"],
      [true, undefined],
    ]);
    await master.answer({ start: [assignmentOf(attemptOf(1, "map", "k"))] });
    expect(slots.map(({ ran }) => ran.length)).toEqual([1, 1]);
    await agent.close();
  });

  const killed = new MillraceError("slot-died", "killed", { retry: "same" });
  const exited = new MillraceError("slot-died", "it called process.exit(3)");

  test("a slot that is killed while it describes is replaced, as often as may be tried, and one that exits is not", async () => {
    const { agent, slots } = start(2);
    const bundle = { path: "/bundle.mjs", digest: "digest", environment: {} };
    failingLoads = [killed, killed];
    expect(await agent.describe(bundle, 3)).toEqual({});
    expect(slots).toHaveLength(3);
    failingLoads = [killed, killed, killed];
    await expect(agent.describe(bundle, 2)).rejects.toThrow("killed (tried 2 times)");
    expect(failingLoads).toHaveLength(1);
    failingLoads = [exited, killed];
    await expect(agent.describe(bundle, 9)).rejects.toBe(exited);
    failingLoads = [new MillraceError("wrong-job", "it throws"), killed];
    await expect(agent.describe(bundle, 9)).rejects.toThrow("it throws");
    await agent.close();
  });

  test.each([
    [killed, "slot-died"],
    [exited, "fatal"],
    [new MillraceError("wrong-job", "it throws"), "fatal"],
    [new MillraceError("over-limit", "it has more outputs than a job may have"), "fatal"],
    [new MillraceError("io-error", "its bundle is damaged"), "infrastructure"],
    [new MillraceError("slot-died", "no process can be started", { retry: "elsewhere" }), "infrastructure"],
  ] as const)("an attempt whose slot fails while it loads (%s) fails as %s", async (failed, kind) => {
    const { agent, master } = start(1);
    failingLoads = [failed];
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    await settled();
    expect(master.reports.at(-1)!.finished).toMatchObject([{ ok: false, reason: { kind } }]);
    await agent.close();
  });

  test("the slot that described goes on to run", async () => {
    const { agent, master, slots } = start(2);
    await agent.describe({ path: "/bundle.mjs", digest: "digest", environment: {} });
    await master.answer({ start: [assignmentOf(attemptOf(0, "plan"))] });
    expect(slots).toHaveLength(1);
    expect(slots[0]!.ran).toHaveLength(1);
    await agent.close();
  });

  test("slots that were started early are the ones that run, also while they still load", async () => {
    const { agent, master, slots } = start(2);
    const bundle = { path: "/bundle.mjs", digest: "digest", environment: {} };
    await agent.describe(bundle);
    agent.prestart(2, bundle);
    await master.answer({ start: [assignmentOf(attemptOf(1)), assignmentOf(attemptOf(2))] });
    expect(slots.map((slot) => slot.ran.length)).toEqual([1, 1]);
    await agent.close();
  });

  test("a slot that ended while it was idle is not given an attempt", async () => {
    const { agent, master, slots } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    slots[0]!.finish();
    slots[0]!.isAlive = false; // it has exited; its pipes are still being read
    await settled();
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    expect(slots.map((slot) => slot.ran.length)).toEqual([1]);
    slots[0]!.end();
    await settled();
    expect(slots.map((slot) => slot.ran.length)).toEqual([1, 1]);
    await agent.close();
  });

  test("a slot that hangs while it loads is killed when its attempt is revoked", async () => {
    const { agent, master, slots, clock } = start(1);
    hangingLoads = true;
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    await master.answer({ stop: [{ attempt: attemptOf(1), why: "another has won" }] });
    await clock.pass(500);
    expect(slots[0]!.killedFor).toEqual({ kind: "stopped" });
    await agent.close();
  });

  test("fault 16: a slot that died is replaced", async () => {
    const { agent, master, slots } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    slots[0]!.kill({ kind: "stopped" });
    await settled();
    expect(master.last.finished[0]).toMatchObject({ ok: false, reason: { kind: "slot-died" } });
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    expect(slots).toHaveLength(2);
    expect(slots[1]!.ran).toHaveLength(1);
    await agent.close();
  });

  test("a revoked attempt is asked to end, then killed, and is not reported", async () => {
    const { agent, master, slots, clock } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    await master.answer({ stop: [{ attempt: attemptOf(1), why: "another has won" }] });
    expect(slots[0]!.isStopping).toBe("another has won");
    expect(slots[0]!.killedFor).toBeUndefined();
    await clock.pass(500);
    expect(slots[0]!.killedFor).toEqual({ kind: "stopped" });
    expect(master.last).toMatchObject({ running: [], finished: [], slotsFree: 1 });
    await agent.close();
  });

  test("fault 50: unheard for a lease, it stops its attempts by its own clock", async () => {
    const { agent, master, slots, clock } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    await master.answer();
    await clock.pass(9_900);
    expect(slots[0]!.killedFor).toBeUndefined();
    await clock.pass(500);
    expect(slots[0]!.killedFor).toEqual({ kind: "stopped" });
    expect(master.last.finished).toEqual([]);
    await agent.close();
  });

  test("fault 12: an attempt that does not move is reported with how long", async () => {
    const { agent, master, slots, clock } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    const page: PageContent = {
      epoch: 1,
      attempt: 1,
      phase: "map",
      records: 7,
      bytes: 70,
      at: { file: 0, offset: 3 },
      beats: 4,
    };
    slots[0]!.pageNow = page;
    await clock.pass(3000);
    await master.answer();
    expect(master.last.running[0]).toMatchObject({ records: 7, bytes: 70, idleMs: 0, runningMs: 3000, at: page.at });
    await clock.pass(3000);
    await master.answer();
    expect(master.last.running[0]).toMatchObject({ idleMs: 3000, runningMs: 6000 });
    slots[0]!.pageNow = { ...page, beats: 5 };
    await master.answer();
    expect(master.last.running[0]).toMatchObject({ idleMs: 0, runningMs: 6000 });
    await agent.close();
  });

  test("a page of the slot's attempt before is not this attempt's progress", async () => {
    const { agent, master, slots } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    slots[0]!.pageNow = { epoch: 1, attempt: 1, phase: "map", records: 7, bytes: 70, at: undefined, beats: 4 };
    await master.answer();
    expect(master.last.running[0]).toMatchObject({ records: 0, at: undefined });
    await agent.close();
  });

  test("fault 15: a slot over its memory is killed, others are not", async () => {
    let bytes = 100 * MiB;
    const { agent, master, slots, clock } = start(1, { residentBytes: () => bytes });
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    await clock.pass(1000);
    expect(slots[0]!.killedFor).toBeUndefined();
    bytes = 4096 * MiB;
    await clock.pass(250);
    expect(slots[0]!.killedFor).toEqual({ kind: "memory", bytes });
    await agent.close();
  });

  test("I12: a reduce waits for the holders of its version, which come once", async () => {
    const { agent, master, slots } = start();
    const order = { start: [assignmentOf(attemptOf(0, "reduce"), 2)] };
    await master.answer(order);
    expect(slots).toHaveLength(0);
    const runs = [3, 1, 2].map((index) => ({ writtenBy: attemptOf(index), path: `/run-${index}`, bytes: 1, pairs: 1 }));
    const holders = [{ job: "j", mapVersion: 2, from: 0, total: 3, workers: [{ worker: "w", address: "", runs }] }];
    await master.answer({ ...order, holders });
    expect(master.last.holdersKnown).toEqual({ j: { mapVersion: 2, runs: 3 } });
    expect(slots[0]!.ran[0]!.inputs.map((run) => run.path)).toEqual(["/run-1", "/run-2", "/run-3"]);
    await master.answer({ holders: [{ ...holders[0]!, mapVersion: 1 }] });
    expect(master.last.holdersKnown).toEqual({ j: { mapVersion: 2, runs: 3 } });
    await agent.close();
  });

  test("I14: files of failed attempts go at once, those of winners with their job", async () => {
    const { agent, master, slots, memory } = start(2);
    await master.answer({ start: [assignmentOf(attemptOf(1)), assignmentOf(attemptOf(2))] });
    const [lost, won] = slots.map((slot) => {
      const { assignment, memoryDirectory, directory: cwd } = slot.ran[0]!;
      const path = join(memoryDirectory!, `${attemptName(assignment.attempt)}.run`);
      for (const file of [path, join(cwd, "scratch")]) writeFileSync(file, "x");
      return path;
    });
    slots[0]!.finish({ ok: false, reason: { kind: "infrastructure", error: text("no") } });
    slots[1]!.finish({ run: { writtenBy: attemptOf(2), path: won!, bytes: 1, pairs: 1 } } as Partial<AttemptResult>);
    await settled();
    expect([lost, won].map((path) => existsSync(path!))).toEqual([false, true]);
    expect(slots.map((slot) => readdirSync(slot.ran[0]!.directory))).toEqual([[], []]);
    await master.answer({ discard: ["j"] });
    expect(slots.every((slot) => slot.killedFor !== undefined)).toBe(true);
    await agent.close();
    expect(readdirSync(memory)).toEqual([]);
  });

  test("what is in the memory tier is not given out again", async () => {
    const { agent, master, slots } = start(2);
    await master.answer({ start: [assignmentOf(attemptOf(1)), assignmentOf(attemptOf(2))] });
    const tier = planBudget({ slots: 2, memoryBytes: 128 * MiB }).tierBytes;
    const [first, second] = slots.map((slot) => slot.ran[0]!);
    expect(first!.memoryBytesMax + second!.memoryBytesMax).toBe(tier);
    const run = runAt(attemptOf(1), join(first!.memoryDirectory!, "map-00001.1.1.run"), 10 * MiB);
    slots[0]!.finish({ run } as Partial<AttemptResult>);
    await settled();
    await master.answer({ start: [assignmentOf(attemptOf(3))] });
    expect(slots[0]!.ran[1]!.memoryBytesMax).toBe(tier - second!.memoryBytesMax - 10 * MiB);
    await agent.close();
  });

  test("draining: what runs ends, nothing new starts, and the last result is acknowledged first", async () => {
    const { agent, master, slots } = start(2);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    let isDrained = false;
    const drained = agent.drain().then(() => (isDrained = true));
    await settled();
    expect(master.last).toMatchObject({ draining: true, slotsFree: 0 });
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    expect(slots).toHaveLength(1);
    slots[0]!.finish();
    await settled();
    expect(isDrained).toBe(false);
    await master.answer();
    await drained;
    await agent.close();
  });

  test("a worker with nothing to do goes when the master has heard that it drains, or does not answer", async () => {
    const heard = start(1);
    await heard.master.answer();
    let isDrained = false;
    const drained = heard.agent.drain().then(() => (isDrained = true));
    await settled();
    expect(isDrained).toBe(false);
    await heard.master.answer();
    await drained;
    await heard.agent.close();

    const alone = start(1);
    await alone.master.answer();
    const gone = alone.agent.drain();
    await alone.clock.pass(1_000);
    await gone;
    await alone.agent.close();
  });

  test("a drain that the master orders is the worker's own", async () => {
    let drains = 0;
    const { agent, master } = start(2, { onDrain: () => drains++ });
    await master.answer({ drain: true });
    await master.answer({ drain: true });
    expect(master.last).toMatchObject({ draining: true, slotsFree: 0 });
    expect(drains).toBe(1);
    await agent.close();
  });

  test("what is handed back is ended, and neither running nor finished any more", async () => {
    const { agent, master, slots } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    const drained = agent.drain();
    agent.handBack();
    await settled();
    expect(slots[0]!.killedFor).toEqual({ kind: "stopped" });
    expect(master.last).toMatchObject({ running: [], finished: [] });
    await master.answer();
    await drained;
    await agent.close();
  });

  test("a worker is released when the last job that has runs here is over", async () => {
    const { agent, master, slots } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    const { memoryDirectory } = slots[0]!.ran[0]!;
    const run = runAt(attemptOf(1), join(memoryDirectory!, "map-00001.1.1.run"), 1);
    slots[0]!.finish({ run } as Partial<AttemptResult>);
    await settled();
    let isReleased = false;
    void agent.released().then(() => (isReleased = true));
    await master.answer();
    expect(isReleased).toBe(false);
    await master.answer({ discard: ["j"] });
    expect(isReleased).toBe(true);
    await agent.close();
  });

  test("a reduce gets what lies here to read, and what lies elsewhere to fetch", async () => {
    const shuffleKey = (job: string) => `key of ${job}`;
    const { agent, master, slots } = start(1, { access: { shuffleKey, ca: "/ca.pem", clockAheadMs: () => -7 } });
    const run = (index: number) => ({ writtenBy: attemptOf(index), path: `/run-${index}`, bytes: 1, pairs: 1 });
    const place = (worker: string, ...indices: number[]) => ({
      worker,
      address: `at ${worker}`,
      runs: indices.map(run),
    });
    const page = { job: "j", mapVersion: 1, total: 5 };
    await master.answer({ holders: [{ ...page, from: 0, workers: [place("other", 4, 1), place("w", 3)] }] });
    await master.answer({
      start: [assignmentOf(attemptOf(0, "reduce"))],
      holders: [{ ...page, from: 3, workers: [place("w", 0), place("other", 2)] }],
    });
    const { inputs, remote, access } = slots[0]!.ran[0]!;
    expect(inputs.map(({ path }) => path)).toEqual(["/run-0", "/run-3"]);
    expect(remote).toEqual([{ worker: "other", address: "at other", runs: [run(1), run(2), run(4)] }]);
    expect(access).toEqual({ key: "key of j", ca: "/ca.pem", clockAheadMs: -7 });
    await agent.close();
  });

  test("what a job needs here is made first, and what fails is the attempt's infrastructure failure", async () => {
    const prepare = async (job: string, given: JobSpec) => {
      if (job === "bad") throw new MillraceError("unreachable", "w can't see /out");
      return { ...given, name: "prepared" };
    };
    const { agent, master, slots } = start(2, { prepare });
    await master.answer({ start: [assignmentOf(attemptOf(1)), assignmentOf(attemptOf(2, "map", "bad"))] });
    expect(slots.flatMap(({ ran }) => ran).map(({ assignment }) => assignment.spec.name)).toEqual(["prepared"]);
    expect(master.last.finished).toMatchObject([
      { attempt: { job: "bad" }, reason: { kind: "infrastructure", error: { code: "unreachable" } } },
    ]);
    await agent.close();
  });

  test.each([
    ["bad-input", "the master has no blob", "fatal"],
    ["over-limit", "what the master sends has more than 16 MiB", "fatal"],
    ["corrupt-run", "what the master sent is not that", "infrastructure"],
    ["no-space", "the disk of the worker's work directory is full", "infrastructure"],
  ] as const)(
    "a bundle or side file that can't be had is the job's end where it can be had nowhere (%s: %s)",
    async (code, message, kind) => {
      const prepare = async () => {
        throw new MillraceError(code, message);
      };
      const { agent, master } = start(1, { prepare });
      await master.answer({ start: [assignmentOf(attemptOf(0, "plan"))] });
      expect(master.last.finished).toMatchObject([{ reason: { kind, error: { code, message } } }]);
      await agent.close();
    },
  );

  test("an attempt that is revoked while its job is being prepared ends at once", async () => {
    const { agent, master, slots } = start(1, { prepare: () => new Promise(() => {}) });
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    await master.answer({ stop: [{ attempt: attemptOf(1), why: "another has won" }] });
    expect(master.last).toMatchObject({ running: [], finished: [] });
    expect(slots).toHaveLength(0);
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    await agent.close(); // does not wait for what never comes
  });

  test("I11: a job that needs the process of another job waits until that has ended", async () => {
    const { agent, master, slots } = start(2);
    await master.answer({ start: [assignmentOf(attemptOf(1)), assignmentOf(attemptOf(2))] });
    for (const slot of slots) slot.finish();
    await settled();
    lingering = true;
    await master.answer({ start: [assignmentOf(attemptOf(3, "map", "other"))] });
    expect(slots.map(({ killedFor }) => killedFor?.kind)).toEqual(["stopped", undefined]);
    await master.answer({ start: [assignmentOf(attemptOf(4))] });
    expect(slots.map(({ ran }) => ran.length)).toEqual([1, 2]);
    slots[0]!.end();
    await settled();
    expect(slots.map(({ ran }) => ran.length)).toEqual([1, 2, 1]);
    for (const slot of slots) slot.end();
    await agent.close();
  });

  test("a call that nobody answers is made again in time for the lease", async () => {
    const { agent, master, clock } = start();
    await master.answer();
    const asked = master.reports.length;
    await clock.pass(5_100);
    expect(master.reports.length).toBe(asked + 1);
    await master.answer();
    expect(agent.status().unheardMs).toBeLessThan(1_000);
    await agent.close();
  });

  test("fault 40: an answer that comes a lease late starts nothing", async () => {
    const { agent, master, slots, clock } = start();
    await master.answer();
    clock.jump(20_000); // the process was stopped
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    expect(slots).toHaveLength(0);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    expect(slots).toHaveLength(1);
    await agent.close();
  });

  test("a job that was discarded is started again by a later order only", async () => {
    const { agent, master, slots } = start(1);
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    await master.answer({ discard: ["j"], start: [assignmentOf(attemptOf(1))] });
    expect(slots.flatMap(({ ran }) => ran)).toHaveLength(1);
    await settled();
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    expect(slots.flatMap(({ ran }) => ran)).toHaveLength(2);
    await agent.close();
  });

  test("a worker that fails by its own fault takes nothing new for a while, longer each time, until something succeeds", async () => {
    let isFull = true;
    const prepare = async (_job: string, given: JobSpec) => {
      if (isFull) throw new MillraceError("no-space", "the disk is full");
      return given;
    };
    const { agent, master, slots, clock } = start(2, { prepare, coolDownMs: (failures) => 1000 * failures });
    await master.answer({ start: [assignmentOf(attemptOf(1))] });
    expect(master.last).toMatchObject({ slotsFree: 0, finished: [{ ok: false }] });
    await clock.pass(1000);
    expect(master.last.slotsFree).toBe(2);
    await master.answer({ start: [assignmentOf(attemptOf(2))] });
    await clock.pass(1500);
    expect(master.last.slotsFree).toBe(0);
    await clock.pass(500);
    expect(master.last.slotsFree).toBe(2);
    isFull = false;
    await master.answer({ start: [assignmentOf(attemptOf(3))] });
    slots[0]!.finish();
    await settled();
    expect(master.last.slotsFree).toBe(2);
    await agent.close();
  });

  test("runs of an earlier start are offered in pages that a message can hold, each until it is acknowledged", async () => {
    const count = limits.runsPerMessage + 1;
    const offered = Array.from({ length: count }, (_, index) => {
      const run = { writtenBy: attemptOf(index), path: `/run-${index}`, bytes: 1, pairs: 1 };
      return { run, emissionDigest: 0n };
    });
    const { agent, master, clock } = start(1, { offered });
    expect(master.last.offered).toHaveLength(limits.runsPerMessage);
    await master.fail();
    await clock.pass(100);
    expect(master.last.offered).toHaveLength(limits.runsPerMessage);
    await master.answer();
    expect(master.last.offered).toEqual([offered.at(-1)]);
    await master.answer();
    expect(master.last.offered).toEqual([]);
    await agent.close();
  });
});
