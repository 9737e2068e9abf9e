import { describe, expect, test } from "vitest";
import { TaskRun } from "../../../test/support/run-tasks.ts";
import { defineJob, float64, sum, text, tsv, uint, utf8 } from "../../job/api.ts";
import { jobDefinition } from "../../job/define-job.ts";
import { calm, optionsOf, type SimOptions, sequential } from "./options.ts";
import type { SimJob } from "./scene.ts";
import { JobWorld, type SimRun } from "./world.ts";

const words = "it was the best of times it was the worst of times it was the age of wisdom".split(" ");
const lines = Array.from({ length: 600 }, (_, i) => words.slice(i % 7, (i % 7) + (i % 5) + 2).join(" "));
const content = Buffer.from(`${lines.join("\n")}\n`);
const base = { input: text(), key: utf8, output: tsv() };
const never = new AbortController().signal;

/** `make` is the job's module: called once per instance of it. */
function simJob(make: () => unknown): SimJob {
  const spec = new TaskRun(make(), { files: { "in.txt": content } }).spec;
  return {
    spec: { ...spec, partitions: 3, attemptsMax: 4, taskTimeoutMs: 40_000 },
    digest: "d",
    environment: {},
    inputs: new Map([["/in.txt", content]]),
    load: async () => jobDefinition(make()),
    within: (_sources, work) => work(),
  };
}

const wordCount = () =>
  defineJob({
    ...base,
    name: "word-count",
    value: uint,
    map(line, emit, ctx) {
      ctx.count("lines");
      for (const word of line.split(" ")) emit(word, 1);
    },
    combine: sum,
  });

async function outputOf({ storage, destination }: SimRun): Promise<string> {
  let all = "";
  for (const name of ["part-00000.tsv", "part-00001.tsv", "part-00002.tsv"]) {
    const file = (await storage.stat(`${destination}/${name}`))!;
    for await (const chunk of storage.read(file, 0, file.bytes)) all += Buffer.from(chunk).toString();
    all += "--\n";
  }
  return all;
}

async function simulate(job: SimJob, options: SimOptions, count: number): Promise<SimRun[]> {
  const runs: SimRun[] = [];
  for (let seed = options.seed; seed < options.seed + count; seed++) {
    runs.push(await new JobWorld(job, { ...options, ...optionsOf(seed) }).run(never));
  }
  return runs;
}

/** Faults, of all runs. */
function faultsOf(runs: readonly SimRun[], kind: string): number {
  return runs.reduce((sum, { stats }) => sum + (stats.faults[kind] ?? 0), 0);
}

describe("a right job", () => {
  test("writes what it writes without faults, whatever happens, and much happens", async () => {
    const job = simJob(wordCount);
    const expected = await new JobWorld(job, sequential()).run(never);
    expect(expected.outcome).toBe("succeeded");
    expect(expected.stats.faults).toEqual({});
    expect(expected.stats.attempts).toBe(expected.stats.tasks.map + expected.stats.tasks.reduce);
    expect(expected.counters).toEqual({ lines: 600 });
    const output = await outputOf(expected);
    const counted = new Map<string, number>();
    for (const word of lines.flatMap((line) => line.split(" "))) counted.set(word, (counted.get(word) ?? 0) + 1);
    const found = output.split("\n").filter((line) => line.includes("\t"));
    expect(new Map(found.map((line) => [line.split("\t")[0]!, Number(line.split("\t")[1])]))).toEqual(counted);
    const runs = await simulate(job, optionsOf(1), 12);
    for (const run of runs) {
      expect(run.outcome).toBe("succeeded");
      expect(await outputOf(run)).toBe(output);
      expect(run.counters).toEqual({ lines: 600 });
      expect(run.stats.changed).toEqual([]);
    }
    for (const kind of [
      "crash-workers",
      "lose-disks",
      "slot-deaths",
      "damage-runs",
      "message lost",
      "message repeated",
    ])
      expect(faultsOf(runs, kind), kind).toBeGreaterThan(0);
    expect(runs.reduce((total, { stats }) => total + stats.again, 0)).toBeGreaterThan(50);
    expect(runs.reduce((total, { stats }) => total + stats.masterChanges, 0)).toBeGreaterThan(3);
    // Clusters of several sizes, and a job cut in several ways.
    expect(new Set(runs.map(({ stats }) => stats.tasks.map)).size).toBeGreaterThan(3);
  });

  test("a seed gives the same course of events again, another seed another one", async () => {
    const job = simJob(wordCount);
    const [a, b, c] = await Promise.all([4, 4, 5].map((seed) => new JobWorld(job, optionsOf(seed)).run(never)));
    expect(b!.hash).toBe(a!.hash);
    expect(b!.stats).toEqual(a!.stats);
    expect(c!.hash).not.toBe(a!.hash);
  });

  test("events are told as they happen, faults and what comes of them", async () => {
    const events: string[] = [];
    const run = await new JobWorld(simJob(wordCount), optionsOf(3), ({ at, what, isFault }) =>
      events.push(`${at.toFixed(0)} ${isFault ? "fault" : "event"} ${what}`),
    ).run(never);
    const faults = events.filter((event) => event.includes(" fault "));
    expect(faults).toHaveLength(Object.values(run.stats.faults).reduce((a, b) => a + b, 0));
    expect(events.some((event) => /event map-00000\.\d+\.\d+ begins on w/.test(event))).toBe(true);
    expect(events.some((event) => event.includes("published part-00002.tsv"))).toBe(true);
    expect(events.at(-1)).toMatch(/it is over: succeeded$/);
  });

  test("an abort ends it", async () => {
    const stop = new AbortController();
    const running = new JobWorld(simJob(wordCount), optionsOf(2), () => stop.abort(new Error("enough"))).run(
      stop.signal,
    );
    await expect(running).rejects.toThrow("enough");
  });
});

describe("a wrong job", () => {
  /** How many of the runs did not write what is written without faults. */
  async function wrong(make: () => unknown, count = 8): Promise<{ runs: SimRun[]; differing: number; failed: number }> {
    const job = simJob(make);
    const expected = await outputOf(await new JobWorld(job, sequential()).run(never));
    const runs = await simulate(job, optionsOf(1), count);
    let differing = 0;
    for (const run of runs) if (run.outcome === "succeeded" && (await outputOf(run)) !== expected) differing++;
    for (const { outcome } of runs) expect(["succeeded", "failed"]).toContain(outcome); // never stuck, never mixed
    return { runs, differing, failed: runs.filter(({ outcome }) => outcome === "failed").length };
  }

  test("a combine that is not associative is caught, without faults too", async () => {
    const average = () =>
      defineJob({
        ...base,
        name: "average",
        value: float64,
        map: (line, emit) => emit(line[0]!, line.length),
        combine: (a, b) => (a + b) / 2,
      });
    const { differing, runs } = await wrong(average, 4);
    expect(differing).toBe(4);
    expect(runs.every(({ stats }) => stats.changed.length === 0)).toBe(true);
    const job = simJob(average);
    const [with24, with6] = await Promise.all(
      [24, 6].map((splits) => new JobWorld(job, { ...calm(optionsOf(1)), splits, combining: "auto" }).run(never)),
    );
    expect(await outputOf(with24!)).not.toBe(await outputOf(with6!));
  });

  test("a reduce that counts on how often combine was called is caught", async () => {
    const { differing } = await wrong(() =>
      defineJob({
        ...base,
        name: "counts-values",
        value: uint,
        map: (line, emit) => emit(line[0]!, 1),
        combine: sum,
        reduce(key, values, emit) {
          let n = 0;
          for (const _ of values) n++;
          emit([key, n]);
        },
      }),
    );
    expect(differing).toBeGreaterThan(0);
  });

  test("a map that is not deterministic: its output is of one set of map outputs, or the job fails and says so", async () => {
    const { runs, differing, failed } = await wrong(
      () =>
        defineJob({
          ...base,
          name: "chance",
          value: uint,
          map(line, emit) {
            if (Math.random() < 0.5) emit(line[0]!, 1);
          },
          combine: sum,
        }),
      16, // about one in seven has a reduce that had read the outputs of before
    );
    expect(differing + failed).toBe(runs.length);
    expect(failed).toBeGreaterThan(0);
    for (const { outcome, reason } of runs) if (outcome === "failed") expect(reason?.code).toBe("nondeterministic");
    expect(runs.some(({ stats }) => stats.changed.length > 0)).toBe(true);
    expect(runs.some(({ stats }) => stats.rolledBack > 0)).toBe(true);
  });

  test("a variable of the module that outlives an attempt is caught, and instances of the module share none", async () => {
    let instances = 0;
    const { runs, differing, failed } = await wrong(() => {
      instances++;
      let seen = 0;
      return defineJob({
        ...base,
        name: "state",
        value: uint,
        map: (line, emit) => emit(line[0]!, seen++),
        combine: sum,
      });
    }, 4);
    expect(differing + failed).toBe(4);
    expect(runs.some(({ stats }) => stats.changed.length > 0)).toBe(true);
    expect(instances).toBeGreaterThan(20);
  });

  test("what a record throws fails the job, with the record's place", async () => {
    const job = simJob(() =>
      defineJob({
        ...base,
        name: "throws",
        value: uint,
        map(line) {
          if (line.startsWith("best")) throw new Error("the best of lines");
        },
      }),
    );
    const [expected, run] = [
      await new JobWorld(job, sequential()).run(never),
      await new JobWorld(job, optionsOf(1)).run(never),
    ];
    for (const { outcome, reason } of [expected, run]) {
      expect(outcome).toBe("failed");
      expect(reason).toMatchObject({ code: "user-error", message: "the best of lines" });
      expect(reason?.where).toMatch(/^in\.txt:\d+$/);
    }
  });
});
