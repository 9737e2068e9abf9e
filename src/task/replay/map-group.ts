// Maps all inputs and keeps the pairs of one key, for `millrace replay --key`: what a run's map tasks would hand to the
// reduce of that key. The inputs are streamed; only that key's pairs are held.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { AttemptId, Position } from "../../base/ids.ts";
import { limits, MiB } from "../../base/limits.ts";
import { decompressWithin, detectCompression, programOf } from "../../format/compression/compress.ts";
import { BadRecordIn } from "../../input/bad-record.ts";
import type { PlannedFile } from "../../input/plan.ts";
import { readSplit } from "../../input/read-split.ts";
import { resolveInputs } from "../../input/resolve.ts";
import { resultOfState } from "../../job/aggregate/lower.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Combining, Kernel } from "../../kernel/kernel.ts";
import { type Collector, createCollector } from "../../sort/collector.ts";
import type { RunFiles, RunRef } from "../../sort/run.ts";
import type { StagedWriter, Storage } from "../../storage/storage.ts";
import { createEmitter, type Emitter } from "../emit/emitter.ts";
import { kernelFold } from "../emit/fold.ts";
import { PairEncoder } from "../emit/pair-encoder.ts";
import { badInputFailure, isA, userFailure } from "../failure.ts";
import { MapPass } from "../map/pass.ts";
import { Aside, Remap } from "../map/put-aside.ts";
import { DeadLetters } from "../output/dead-letters.ts";
import { outputTable } from "../output/outputs.ts";
import { recordEncoders } from "../output/staged-outputs.ts";
import { inputsInOrder } from "../plan/task.ts";
import { hashText } from "../user/context.ts";
import { type UserEnvironment, UserTask } from "../user/user-task.ts";
import { heldFiles } from "./held-files.ts";
import { groupKeyOf, KeyFilter, partitionsOf } from "./key-filter.ts";
import { wantedKey } from "./wanted-key.ts";

export interface GroupOptions {
  readonly env: UserEnvironment & { readonly storage: Storage };
  readonly spec: JobSpec;
  readonly kernel: Kernel;
  /** The key as it was written down (wanted-key.ts). */
  readonly key: string;
  /** "never": reduce gets every value, without combine. */
  readonly combining: Exclude<Combining, "always">;
  /** Default `limits.replayHeldBytesMax`. */
  readonly heldBytesMax?: number;
}

export type MappedGroup = {
  /** Records that were mapped, and those that were put aside. */
  readonly records: number;
  readonly aside: number;
} & (
  | {
      readonly kind: "missing";
      /** Pairs of other keys. */
      readonly pairs: number;
      /** Some of these keys. */
      readonly keys: readonly unknown[];
    }
  | {
      readonly kind: "found";
      readonly key: unknown;
      /** Other keys that the text stands for, and that are there too. */
      readonly others: readonly unknown[];
      readonly pairs: number;
      /** The first of their values, as map emitted them. */
      readonly values: readonly unknown[];
      readonly held: HeldGroup;
    }
);

/** The pairs, for the reduce. */
export interface HeldGroup {
  readonly files: RunFiles;
  readonly run: RunRef;
  readonly partition: number;
}

const attempt: AttemptId = { job: "replay", phase: "map", index: 0, epoch: 1, attempt: 1 };

/**
 * Calls setup, map for every record of the inputs, and teardown. Counters, logs and records of outputs are discarded.
 * Throws a `TaskFailure` for what these throw and for a record that can't be read, `over-limit` where the key has too
 * many pairs, `wrong-usage` where the job has no keys, and what looking for inputs throws.
 */
export async function mapGroup(options: GroupOptions): Promise<MappedGroup> {
  const { env, spec } = options;
  const { job } = env;
  if ((spec.partitions ?? job.reducers) === 0) {
    throw new MillraceError("wrong-usage", `the job ${job.name} is map-only: it has no keys and no reduce`);
  }
  const files = await resolveInputs({
    storage: env.storage,
    inputs: inputsInOrder(job, spec),
    directory: spec.directory,
    spooled: spec,
    detectCompression: spec.decompress === undefined ? detectCompression : () => "program",
    formatOf: (input) => job.inputs[input]!.format,
    signal: env.signal,
  });
  const task = new UserTask({ attempt, spec, careful: false }, { ...env, log: () => {} });
  const aside = new Aside([]);
  const mapped = await task.run(async (state) => {
    for (;;) {
      const group = new GroupMapper(options, task, state, files, aside);
      try {
        return await group.mapAll();
      } catch (thrown) {
        group.abort();
        // What the record had emitted before it failed has been handed on: everything is mapped again without it.
        if (!isA(thrown, Remap)) throw thrown;
        aside.add(thrown.origin, { thrown: thrown.thrown, code: "user-error" });
        task.totals.clear();
      }
    }
  });
  task.end();
  return mapped;
}

/** One try at all records. */
class GroupMapper {
  readonly #options: GroupOptions;
  readonly #task: UserTask;
  readonly #state: unknown;
  readonly #files: readonly PlannedFile[];
  readonly #aside: Aside;
  readonly #held: RunFiles;
  readonly #collector: Collector;
  readonly #filter: KeyFilter;
  readonly #encoder: PairEncoder;
  readonly #emitter: Emitter;
  readonly #deadLetters: DeadLetters;
  #pass: MapPass | undefined;
  #input = -1;
  #records = 0;

  constructor(options: GroupOptions, task: UserTask, state: unknown, files: readonly PlannedFile[], aside: Aside) {
    const { env, spec, kernel, combining, key, heldBytesMax = limits.replayHeldBytesMax } = options;
    const { job } = env;
    this.#options = options;
    this.#task = task;
    this.#state = state;
    this.#files = files;
    this.#aside = aside;
    this.#held = heldFiles(heldBytesMax, () => tooMuch(key, heldBytesMax));
    const wanted = wantedKey(key, groupKeyOf(job));
    this.#collector = createCollector({
      kernel,
      files: this.#held,
      attempt,
      options: {
        partitions: partitionsOf(wanted),
        partitioner: { kind: "explicit" },
        group: undefined,
        fold: combining === "never" && job.reduce !== undefined ? undefined : kernelFold(job),
        combining: "auto",
        firstEmission: 0,
      },
    });
    this.#filter = new KeyFilter(job, wanted, this.#collector);
    // The job's own function, which chooses a partition, has nothing to choose here.
    this.#encoder = new PairEncoder({ ...job, partition: { kind: "hash" } }, 1);
    this.#emitter = createEmitter(this.#encoder, this.#filter);
    this.#deadLetters = new DeadLetters(0, spec.skipBad, discarding);
  }

  async mapAll(): Promise<MappedGroup> {
    this.#task.status.phase("map");
    let from: Position | "end" | undefined;
    while (from !== "end") from = await this.#mapFrom(from);
    await this.#drain();
    return this.#result();
  }

  abort(): void {
    this.#pass?.close();
    this.#collector.abort();
  }

  /** Returns where to continue, behind a record that was put aside because it can't be read. */
  async #mapFrom(from: Position | undefined): Promise<Position | "end"> {
    const { env, spec } = this.#options;
    const batches = readSplit({
      split: this.#files.map(({ bytes }, file) => ({ file, start: 0, end: bytes })),
      files: Object.fromEntries(this.#files.entries()),
      formatOf: (input) => env.job.inputs[input]!.format,
      storage: env.storage,
      decompress: decompressWithin(undefined, programOf(spec)),
      signal: env.signal,
      from,
    });
    try {
      for (;;) {
        let next: Awaited<ReturnType<typeof batches.next>>;
        try {
          next = await batches.next();
        } catch (thrown) {
          return await this.#goOnBehind(thrown);
        }
        if (next.done === true) return "end";
        const { batch, fileIndex: file, source, input } = next.value;
        const pass = await this.#passOf(input);
        const stream = hashText(source);
        await pass.mapBatch(batch, { file, source, stream: () => stream });
      }
    } finally {
      await batches.return();
    }
  }

  async #goOnBehind(thrown: unknown): Promise<Position> {
    if (!isA(thrown, BadRecordIn)) {
      throw isA(thrown, MillraceError) ? thrown : userFailure(thrown, { where: "the input format" });
    }
    const { file, start, end, bytes, lines, by } = thrown;
    const { source, input } = this.#files[file]!;
    const where = `${source}:${start}`;
    const excerpt = excerptOf(bytes);
    if (end === undefined || !this.#deadLetters.roomFor(thrown)) {
      const place = { at: { file, offset: start }, where, excerpt };
      throw by === undefined ? badInputFailure(thrown, place) : userFailure(by.thrown, place);
    }
    const pass = await this.#passOf(input);
    const origin = { file, source, stream: () => 0, record: bytes, offset: start, bytes: end - start, lines };
    pass.putAside(origin, by === undefined ? { thrown, code: "bad-input" } : { thrown: by.thrown, code: "user-error" });
    return { file, offset: end };
  }

  /** The pass for records of an input; waits for that of the input before it. */
  async #passOf(input: number): Promise<MapPass> {
    if (this.#pass !== undefined && this.#input === input) return this.#pass;
    await this.#drain();
    const { job, signal } = this.#options.env;
    this.#input = input;
    this.#pass = new MapPass({
      map: job.inputs[input]!.map,
      base: this.#task.base,
      state: this.#state,
      totals: this.#task.totals,
      returned: this.#task.returned,
      table: outputTable(job, recordEncoders(job.outputs.map(({ format }) => format))),
      encoder: this.#encoder,
      emitter: this.#emitter,
      sinks: { append() {} },
      concurrency: job.concurrency,
      deadLetters: this.#deadLetters,
      putAside: this.#aside,
      tries: "twice",
      sharing: "none",
      status: this.#task.status,
      signal,
    });
    return this.#pass;
  }

  async #drain(): Promise<void> {
    if (this.#pass === undefined) return;
    await this.#pass.finish();
    this.#pass.close();
    this.#records += this.#pass.records;
    this.#pass = undefined;
    this.#emitter.flush();
  }

  #result(): MappedGroup {
    const { job } = this.#options.env;
    const { found } = this.#filter;
    const run = this.#collector.finish();
    const aside = this.#deadLetters.positions.length;
    const counts = { records: this.#records - aside, aside };
    const key = groupKeyOf(job);
    const partition = found.findIndex(({ pairs }) => pairs > 0);
    if (partition < 0) {
      const keys = [...this.#filter.keys()].map((encoded) => key.read(encoded));
      return { ...counts, kind: "missing", pairs: this.#filter.pairs, keys };
    }
    const { pairs, values } = found[partition]!;
    return {
      ...counts,
      kind: "found",
      key: key.read(this.#filter.keyOf(partition)),
      others: found.flatMap(({ pairs }, other) =>
        other > partition && pairs > 0 ? [key.read(this.#filter.keyOf(other))] : [],
      ),
      pairs,
      values: values.map((encoded) => resultOfState(job.value.read(encoded))),
      held: { files: this.#held, run, partition },
    };
  }
}

function tooMuch(key: string, bytesMax: number): MillraceError {
  return new MillraceError(
    "over-limit",
    `the pairs of the key ${excerptOf(key)} take more than the ${bytesMax / MiB} MiB in which replay sorts them: give it fewer of the inputs`,
  );
}

/** Dead letters are counted, and not kept. */
function discarding(): StagedWriter {
  return {
    bytes: 0,
    write() {},
    finish: async () => ({ bytes: 0, sha256: "", token: "" }),
    abort() {},
    save: () => ({ bytes: 0, sha256: "", token: "", file: undefined }),
    leave() {},
  };
}
