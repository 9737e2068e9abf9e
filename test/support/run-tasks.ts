// A whole job in this process, task by task, as an engine would run it: plan → every map → every reduce, over inputs in
// memory.
import type { AttemptId, Phase } from "../../src/base/ids.ts";
import { KiB, MiB } from "../../src/base/limits.ts";
import type { Checkpoints } from "../../src/checkpoint/checkpoint.ts";
import type { Plan } from "../../src/input/plan.ts";
import { jobDefinition } from "../../src/job/define-job.ts";
import { describeJob } from "../../src/job/load/describe.ts";
import { validateTable } from "../../src/job/params/validate.ts";
import type { JobSpec } from "../../src/job/spec.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { createReferenceKernel } from "../../src/kernel/reference.ts";
import type { Assignment, AttemptDone, AttemptFailed, AttemptResult, MapWork } from "../../src/protocol/messages.ts";
import { createMemoryFiles, type MemoryFiles } from "../../src/sort/memory-files.ts";
import type { RunRef } from "../../src/sort/run.ts";
import { openRun } from "../../src/sort/run-reader.ts";
import type { TaskEnvironment, TaskStatus } from "../../src/task/environment.ts";
import { runAttempt } from "../../src/task/run-attempt.ts";
import { FakeClock } from "./fake-clock.ts";
import { createMemoryStorage, type MemoryStorage } from "./memory-storage.ts";

export interface TaskRunOptions {
  /** Contents of files by path; those of input `name` begin with `name/`, all of them where there is one input. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly spec?: Partial<JobSpec>;
  readonly kernel?: Kernel;
  readonly chunkBytes?: number;
  readonly careful?: boolean;
  readonly work?: Partial<Pick<MapWork, "skip" | "skipBad">>;
  readonly storage?: MemoryStorage;
}

/** One job and what its tasks share. */
export class TaskRun {
  readonly storage: MemoryStorage;
  readonly runFiles: MemoryFiles = createMemoryFiles();
  readonly statuses: TaskStatus[] = [];
  readonly logs: [message: string, fields: unknown][] = [];
  readonly stop = new AbortController();
  /** What the attempts that follow are given. */
  checkpoints: Checkpoints | undefined;
  readonly #job: unknown;
  readonly #options: TaskRunOptions;
  readonly #kernel: Kernel;
  #attempts = 0;

  constructor(job: unknown, options: TaskRunOptions) {
    this.#job = job;
    this.#options = options;
    const files = Object.entries(options.files).map(([path, text]) => [`/${path}`, Buffer.from(text)] as const);
    this.storage = options.storage ?? createMemoryStorage(Object.fromEntries(files), options.chunkBytes);
    this.#kernel = options.kernel ?? smallReference();
  }

  get spec(): JobSpec {
    const job = jobDefinition(this.#job);
    const paths = Object.keys(this.#options.files);
    const { params } = describeJob(job);
    const given = this.#options.spec?.params ?? "{}";
    return {
      name: job.name,
      bundle: "0".repeat(64),
      inputs: job.inputs.map(({ name }) => ({
        name,
        paths: name === "" ? paths : paths.filter((path) => path.startsWith(`${name}/`)),
      })),
      directory: "/",
      standardInput: undefined,
      files: [],
      output: "/out",
      writes: "formats",
      partitions: undefined,
      splitBytes: undefined,
      attemptsMax: 4,
      maxSlots: undefined,
      skipBad: 0,
      params: given,
      ...(params.kind === "table" && { paramsValue: validateTable(params, given) }),
      taskTimeoutMs: 600_000,
      checkpointMs: 0,
      taskLimitMs: undefined,
      nondeterministic: "rerun",
      replaces: undefined,
      environment: {},
      startedAt: "2020-01-02T03:04:05.678Z",
      ...this.#options.spec,
    };
  }

  async plan(): Promise<Plan> {
    const done = succeeded(await this.attempt("plan", 0, { phase: "plan" }));
    return done.plan!;
  }

  map(plan: Plan, index: number, work: Partial<MapWork> = {}): Promise<AttemptResult> {
    const split = plan.splits[index]!;
    return this.attempt("map", index, {
      phase: "map",
      split,
      files: Object.fromEntries(split.map((piece) => [piece.file, plan.files[piece.file]!])),
      partitions: plan.partitions,
      boundaries: plan.boundaries,
      skip: [],
      skipBad: 0,
      ...this.#options.work,
      ...work,
    });
  }

  reduce(plan: Plan, index: number, runs: readonly RunRef[]): Promise<AttemptResult> {
    return this.attempt("reduce", index, { phase: "reduce", partitions: plan.partitions, mapVersion: 1 }, runs);
  }

  attempt(phase: Phase, index: number, work: Assignment["work"], runs?: readonly RunRef[]): Promise<AttemptResult> {
    const id: AttemptId = { job: "job", phase, index, epoch: 1, attempt: ++this.#attempts };
    const assignment: Assignment = { attempt: id, spec: this.spec, careful: this.#options.careful ?? false, work };
    const inputs = runs && {
      mapVersion: 1,
      runs,
      open: (run: RunRef) => openRun(this.runFiles.open(run.path), run.writtenBy, run.path),
    };
    return runAttempt(assignment, this.environment(), inputs);
  }

  environment(): TaskEnvironment {
    return {
      job: jobDefinition(this.#job),
      storage: this.storage,
      kernel: this.#kernel,
      runs: this.runFiles,
      status: { write: (status) => void this.statuses.push(status) },
      clock: new FakeClock(),
      checkpoints: this.checkpoints,
      signal: this.stop.signal,
      file: (name) => `/files/${name}`,
      log: (message, fields) => void this.logs.push([message, fields]),
    };
  }
}

export interface TaskRunResult {
  readonly plan: Plan;
  readonly maps: readonly AttemptDone[];
  readonly reduces: readonly AttemptDone[];
  /** Contents of the output files by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly counters: Readonly<Record<string, number>>;
}

/** Runs all tasks; rejects with the first failure's text. */
export async function runTasks(job: unknown, options: TaskRunOptions): Promise<TaskRunResult> {
  const run = new TaskRun(job, options);
  const plan = await run.plan();
  const maps: AttemptDone[] = [];
  for (const index of plan.splits.keys()) maps.push(succeeded(await run.map(plan, index)));
  const runs = maps.flatMap((done) => done.run ?? []);
  const reduces: AttemptDone[] = [];
  for (let index = 0; index < plan.partitions; index++) reduces.push(succeeded(await run.reduce(plan, index, runs)));
  const done = [...maps, ...reduces];
  const counters: Record<string, number> = {};
  for (const one of done)
    for (const [name, n] of Object.entries(one.counters)) counters[name] = (counters[name] ?? 0) + n;
  const files = done.flatMap((one) =>
    one.staged.map((file) => [file.name, run.storage.staged.get(file.token)!.toString()]),
  );
  return { plan, maps, reduces, files: Object.fromEntries(files), counters };
}

export function succeeded(result: AttemptResult): AttemptDone {
  if (result.ok) return result;
  const { kind, error } = result.reason;
  throw new Error(
    `${kind}: ${error.message}${error.where === undefined ? "" : ` at ${error.where}`}\n${error.stack ?? ""}`,
  );
}

export function failed(result: AttemptResult): AttemptFailed["reason"] {
  if (!result.ok) return result.reason;
  throw new Error("the attempt was to fail");
}

/** Main part files in order. */
export function partsOf(files: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(files).filter((name) => name.startsWith("part-") || name.startsWith("main/part-"));
  return names.sort().map((name) => files[name]!);
}

/**
 * The smallest arena that there is, with a batch and blocks that are smaller still: everything spills, moves and
 * merges.
 */
export function smallReference({ batchBytes = 2 * KiB, blockBytes = 1 * KiB } = {}): Kernel {
  return createReferenceKernel({ arenaBytes: 1 * MiB, batchBytes, blockBytes });
}
