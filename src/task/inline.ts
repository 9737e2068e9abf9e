// Runs a job over records in memory, in this process: the tasks' own code without everything around it. What user code
// throws comes out as it is, so that a test or a debugger sees it where it happened.
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { held } from "../base/assert.ts";
import { ByteBuffer } from "../base/bytes/byte-buffer.ts";
import { MillraceError } from "../base/error.ts";
import type { AttemptId, Counters, Phase } from "../base/ids.ts";
import { MiB } from "../base/limits.ts";
import { systemClock } from "../base/system/clock.ts";
import type { InputBatch } from "../input/read-split.ts";
import type { Codec } from "../job/codec.ts";
import { autoValue } from "../job/codecs/auto.ts";
import type { JobDefinition } from "../job/definition.ts";
import type { JobSpec } from "../job/spec.ts";
import { createReferenceKernel } from "../kernel/reference.ts";
import { gather } from "../shuffle/gather.ts";
import { createMemoryFiles } from "../sort/memory-files.ts";
import type { RunRef } from "../sort/run.ts";
import { openRun } from "../sort/run-reader.ts";
import { kernelFold } from "./emit/fold.ts";
import { isA, TaskFailure } from "./failure.ts";
import { MapSide } from "./map/side.ts";
import { DeadLetters } from "./output/dead-letters.ts";
import type { OutputSinks, RecordEncoder } from "./output/outputs.ts";
import { formatsWrite } from "./output/staged-outputs.ts";
import { KeySample } from "./plan/key-sample.ts";
import { sampleKeys } from "./plan/sample-keys.ts";
import type { SingleSink } from "./reduce/key-lines.ts";
import { ReduceSide } from "./reduce/side.ts";
import { hashText } from "./user/context.ts";
import { CounterTotals, PendingCounts } from "./user/counters.ts";
import { LateCalls, refusePromise } from "./user/late-calls.ts";
import { LeftGoing } from "./user/left-going.ts";
import { type TaskFrame, type UserEnvironment, UserTask } from "./user/user-task.ts";

export interface InlineJobOptions {
  /** Records of each input, in the order of the job's inputs. */
  readonly inputs: readonly (readonly unknown[])[];
  /** The number of partitions; 0 for a map-only job. */
  readonly partitions: number;
  /** The value of `ctx.source`. */
  readonly source: string;
  /** The value of `JobSpec.paramsValue`. */
  readonly paramsValue: Uint8Array | undefined;
}

export interface InlineJobResult {
  /** Records of each output, in the order of the job's outputs. */
  readonly outputs: readonly (readonly unknown[])[];
  readonly counters: Counters;
}

/** This is much for a test, and quick to make. */
const arenaBytes = 4 * MiB;

/** Throws what user code throws, or a `MillraceError`. */
export async function runInlineJob(job: JobDefinition, options: InlineJobOptions): Promise<InlineJobResult> {
  const late = new LateCalls();
  const left = new LeftGoing();
  try {
    const result = await new InlineJob(job, options, late).run();
    await left.over(late);
    late.check();
    return result;
  } catch (thrown) {
    throw late.first?.thrown ?? (isA(thrown, TaskFailure) ? thrown.thrown : thrown);
  } finally {
    late.void();
    left.end();
  }
}

class InlineJob {
  readonly #job: JobDefinition;
  readonly #options: InlineJobOptions;
  readonly #spec: JobSpec;
  readonly #env: UserEnvironment;
  readonly #kernel = createReferenceKernel({ arenaBytes });
  readonly #files = createMemoryFiles();
  readonly #records: InlineRecords;
  readonly #totals = new CounterTotals();
  #attempts = 0;

  constructor(job: JobDefinition, options: InlineJobOptions, late: LateCalls) {
    this.#job = job;
    this.#options = options;
    this.#spec = inlineSpec(job, options.paramsValue);
    this.#records = new InlineRecords(job);
    this.#env = {
      job,
      status: { write() {} },
      signal: new AbortController().signal,
      log: (message, fields) => console.error(...(fields === undefined ? [message] : [message, fields])),
      file: (name) => sideFile(job, name),
      late,
    };
  }

  async run(): Promise<InlineJobResult> {
    const { partitions } = this.#options;
    const run = await this.#map(await this.#boundaries());
    for (let partition = 0; run !== undefined && partition < partitions; partition++)
      await this.#reduce(run, partition);
    return { outputs: this.#records.outputs, counters: this.#totals.report() };
  }

  async #boundaries(): Promise<readonly Uint8Array[]> {
    const { partitions } = this.#options;
    if (this.#job.partition.kind !== "range" || partitions < 2) return [];
    const sample = new KeySample(this.#job.group?.shapes);
    await sampleKeys(this.#frame("plan", 0), this.#env, this.#batches(), sample);
    return sample.boundaries(partitions);
  }

  async #map(boundaries: readonly Uint8Array[]): Promise<RunRef | undefined> {
    const frame = this.#frame("map", 0);
    const task = new UserTask(frame, this.#env);
    const collected = await task.run(async (state) => {
      const side = new MapSide({
        job: this.#job,
        attempt: frame.attempt,
        partitions: this.#options.partitions,
        boundaries,
        kernel: this.#kernel,
        files: this.#files,
        task,
        state,
        encoders: this.#records.encoders,
        sinks: this.#records,
        deadLetters: noDeadLetters(),
        putAside: new Map(),
        tries: "once",
        sharing: false,
        signal: this.#env.signal,
      });
      try {
        for await (const { batch, fileIndex, source, input } of this.#batches()) {
          const pass = await side.passOf(input);
          await pass.mapBatch(batch, { file: fileIndex, source, stream: () => hashText(source) });
        }
        await side.drain();
        return side.finish();
      } catch (thrown) {
        side.abort();
        throw thrown;
      }
    });
    this.#count(task);
    return collected?.run;
  }

  async #reduce(run: RunRef, partition: number): Promise<void> {
    const frame = this.#frame("reduce", partition);
    const task = new UserTask(frame, this.#env);
    await task.run(async (state) => {
      const { cursor } = gather({
        kernel: this.#kernel,
        fold: kernelFold(this.#job),
        files: this.#files,
        attempt: frame.attempt,
        runs: [run],
        open: ({ path, writtenBy }) => openRun(this.#files.open(path), writtenBy, path),
        partition,
      });
      const sink = this.#records;
      const { signal } = this.#env;
      await new ReduceSide({ job: this.#job, task, state, cursor, sink, files: this.#files, signal }).reduceAll();
    });
    this.#count(task);
  }

  async *#batches(): AsyncGenerator<InputBatch> {
    for (const [input, records] of this.#options.inputs.entries()) {
      const starts = Float64Array.from(records, (_, index) => index);
      yield { fileIndex: input, source: this.#options.source, input, batch: { records, starts, end: records.length } };
    }
  }

  #frame(phase: Phase, index: number): TaskFrame {
    const attempt: AttemptId = { job: "inline", phase, index, epoch: 1, attempt: ++this.#attempts };
    return { attempt, spec: this.#spec, careful: false };
  }

  #count(task: UserTask): void {
    task.end();
    const counts = new PendingCounts(this.#totals);
    for (const [name, n] of Object.entries(task.totals.report())) counts.add(name, n);
    counts.commit();
  }
}

/** Output records as they were emitted: copies, checked by the output's format as if it wrote them. */
class InlineRecords implements OutputSinks, SingleSink {
  readonly outputs: unknown[][];
  readonly encoders: readonly RecordEncoder[];
  /** What is passed around as encoded is an index into these. */
  readonly #kept: unknown[] = [];
  readonly #scratch = new ByteBuffer();

  constructor(job: JobDefinition) {
    this.outputs = job.outputs.map(() => []);
    this.encoders = job.outputs.map(({ format }) => (record, out) => {
      this.#scratch.reset();
      refusePromise<unknown>(format.write(record, this.#scratch), formatsWrite);
      out.writeVarint(this.#kept.push(this.#copy(record)) - 1);
    });
  }

  append(output: number, bytes: Uint8Array, start: number, end: number): void {
    let index = 0;
    for (let at = end - 1; at >= start; at--) index = index * 128 + (bytes[at]! & 127);
    this.outputs[output]!.push(this.#kept[index]);
  }

  write(output: number, record: unknown): void {
    const out = new ByteBuffer(8);
    this.encoders[output]!(record, out);
    this.append(output, out.bytes, 0, out.length);
  }

  /**
   * A copy by `auto`, as `run` would hand it out; a record that only the output's own format can write stays the
   * emitted object.
   */
  #copy(record: unknown): unknown {
    const codec = autoValue as Codec<unknown>;
    try {
      this.#scratch.reset();
      codec.write(record, this.#scratch);
    } catch (thrown) {
      if (thrown instanceof MillraceError) return record;
      throw thrown;
    }
    return codec.read(this.#scratch.copy());
  }
}

function noDeadLetters(): DeadLetters {
  return new DeadLetters(0, 0, () => {
    throw new MillraceError("not-supported", "an inline run puts no records aside");
  });
}

function inlineSpec(job: JobDefinition, paramsValue: Uint8Array | undefined): JobSpec {
  return {
    name: job.name,
    bundle: "",
    inputs: job.inputs.map(({ name }) => ({ name, paths: [] })),
    directory: "",
    standardInput: undefined,
    files: [],
    output: "",
    writes: "records",
    partitions: undefined,
    splitBytes: undefined,
    attemptsMax: 1,
    maxSlots: undefined,
    skipBad: 0,
    params: "{}",
    paramsValue,
    taskTimeoutMs: 0,
    checkpointMs: 0,
    taskLimitMs: undefined,
    nondeterministic: job.nondeterministic,
    replaces: undefined,
    environment: {},
    startedAt: systemClock.date().toISOString(),
  };
}

/** The path beside the job's module, as everywhere; `name` is a side file that the job has. */
function sideFile(job: JobDefinition, name: string): string {
  const path = held(job.files, name, "path");
  const { module } = job;
  if (module === undefined) return resolve(path);
  return resolve(dirname(module.startsWith("file:") ? fileURLToPath(module) : module), path);
}
