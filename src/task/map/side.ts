// Maps records and collects their pairs, wherever the records come from: a split, a test's array, a sample.
import { assert } from "../../base/assert.ts";
import type { AttemptId } from "../../base/ids.ts";
import { byteOrderMark } from "../../format/lines/decoder.ts";
import { LinePairs } from "../../format/lines/pairs.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { CollectOptions, Combining, Kernel, KernelPartitioner } from "../../kernel/kernel.ts";
import { type Collector, type CollectorStats, createCollector } from "../../sort/collector.ts";
import type { RunFiles, RunRef } from "../../sort/run.ts";
import { createEmitter, type Emitter, type PairTarget } from "../emit/emitter.ts";
import { isSummed, kernelFold } from "../emit/fold.ts";
import { partitionBytes, viewOf } from "../emit/frame.ts";
import { PairEncoder } from "../emit/pair-encoder.ts";
import type { DeadLetters } from "../output/dead-letters.ts";
import { type OutputSinks, outputTable, type RecordEncoder } from "../output/outputs.ts";
import type { UserTask } from "../user/user-task.ts";
import { encodedNull, isCounting, type LineBlock, type WordBlock } from "./block-mappers.ts";
import { type EncodedGroups, GroupSizes } from "./group-sizes.ts";
import { MapPass } from "./pass.ts";
import type { PutAside } from "./put-aside.ts";

export interface MapSideOptions {
  readonly job: JobDefinition;
  readonly attempt: AttemptId;
  /** The size of the task's split. Default 0. */
  readonly inputBytes?: number;
  /** The number of partitions; 0 for a map-only job. */
  readonly partitions: number;
  readonly boundaries: readonly Uint8Array[];
  readonly kernel: Kernel;
  readonly files: RunFiles;
  readonly task: UserTask;
  readonly state: unknown;
  /** How records of the outputs are encoded, by index. */
  readonly encoders: readonly RecordEncoder[];
  readonly sinks: OutputSinks;
  readonly deadLetters: DeadLetters;
  readonly putAside: PutAside;
  readonly tries: "once" | "twice";
  /** False: each record has an `emit` and a `ctx` of its own, which takes longer. Default true. */
  readonly sharing?: boolean | undefined;
  readonly signal: AbortSignal;
  /** Default "auto". */
  readonly combining?: Combining | undefined;
  /** What an earlier attempt at the task has done: the records that come are those behind it. Default: nothing. */
  readonly earlier?: Collecting | undefined;
}

/** How far collecting has come. */
export interface Collecting {
  /** Records that were given to map or put aside. */
  readonly records: number;
  readonly runs: readonly RunRef[];
  readonly emissions: number;
  readonly emissionDigest: bigint;
}

/** The result of collecting. */
export interface Collected {
  readonly run: RunRef;
  readonly emissions: number;
  readonly emissionDigest: bigint;
  readonly stats: CollectorStats;
}

interface Pairs {
  readonly encoder: PairEncoder;
  readonly collector: Collector;
  /** What pairs are handed to: the collector, or what hands them on to it. */
  readonly target: PairTarget;
  readonly emitter: Emitter;
  /** Where values are combined, and reduce sees no more how many there were: a sum of ones tells it. */
  readonly sizes: GroupSizes | undefined;
}

export class MapSide {
  readonly #options: MapSideOptions;
  /** How pairs are collected; undefined for a map-only job, which has none. */
  readonly #pairs: Pairs | undefined;
  #input = -1;
  #pass: MapPass | undefined;
  #recordsBefore: number;
  #linePairs: LinePairs | undefined;
  #nullValue: Uint8Array | undefined;

  constructor(options: MapSideOptions) {
    this.#options = options;
    const { job, attempt, partitions, kernel, files, earlier } = options;
    this.#recordsBefore = earlier?.records ?? 0;
    if (partitions === 0) return;
    const encoder = new PairEncoder(job, partitions);
    const collecting = collectOptions(options);
    const collector = createCollector({ kernel, files, attempt, options: collecting, earlier });
    const header = encoder.choose === undefined ? 0 : partitionBytes;
    const shapes = job.reduce === undefined ? undefined : job.group?.shapes;
    const isCounted = collecting.fold !== undefined && !isCounting(job);
    const sizes = isCounted ? new GroupSizes(shapes, header, attempt.index, options.inputBytes) : undefined;
    const target = sizes === undefined ? collector : lookedAt(collector, sizes);
    this.#pairs = { encoder, collector, target, emitter: createEmitter(encoder, target), sizes };
  }

  /** Records that were given to map or put aside. */
  get records(): number {
    return this.#recordsBefore + (this.#pass?.records ?? 0);
  }

  /** The longest block that `countWords` takes. */
  get blockBytesMax(): number {
    return this.#pairs === undefined ? 0 : this.#pairs.collector.batchEnd - this.#pairs.collector.batchStart;
  }

  /** Counts records that were rightly skipped as given to map. */
  skip(records: number): void {
    this.#recordsBefore += records;
  }

  /** Counts the words of whole lines in the kernel; each line is a record. For jobs that count (block-mappers.ts). */
  countWords({ block: { bytes, base }, ends }: WordBlock): void {
    const { collector, emitter } = this.#collecting;
    emitter.flush();
    const { arena, batchStart } = collector;
    arena.set(bytes, batchStart);
    const end = batchStart + bytes.length;
    for (let from = batchStart + byteOrderMark(bytes, base); ; ) {
      const long = collector.takeWords(from, end, ends);
      if (long === undefined) break;
      // The emitter writes where the text is, so the rest of the text is put there again.
      emitter.open();
      emitter.emit(bytes.toString("utf8", long.start - batchStart, long.end - batchStart), 1);
      emitter.commit();
      emitter.flush();
      emitter.close();
      arena.set(bytes.subarray(long.end - batchStart), long.end);
      from = long.end;
    }
    this.#recordsBefore += collector.countLines(batchStart, end);
    if (bytes.length > 0 && bytes[bytes.length - 1] !== 10) this.#recordsBefore++;
  }

  /**
   * Emits each line of a block as a key, with null; each line is a record. For jobs that take them (block-mappers.ts).
   */
  keyLines({ block: { bytes } }: LineBlock): void {
    const { target, emitter } = this.#collecting;
    emitter.flush();
    const { arena, batchStart, batchEnd } = target;
    const pairs = (this.#linePairs ??= new LinePairs());
    const value = (this.#nullValue ??= nullOf(this.#options.job));
    for (let from = 0; from < bytes.length; ) {
      const { start, end, lines, next } = pairs.frame(bytes, from, batchEnd - batchStart, value);
      if (lines > 0) {
        arena.set(pairs.bytes.subarray(start, end), batchStart);
        target.take(batchStart + end - start);
        this.#recordsBefore += lines;
        from = next;
      } else {
        const feed = bytes.indexOf(10, from);
        target.takeLarge(viewOf(bytes, from, feed < 0 ? bytes.length : feed), value, undefined);
        this.#recordsBefore++;
        from = feed < 0 ? bytes.length : feed + 1;
      }
    }
  }

  /** The pass for records of an input of the job; waits for that of the input before it. */
  async passOf(input: number): Promise<MapPass> {
    if (this.#pass !== undefined && this.#input === input) return this.#pass;
    await this.drain();
    const { job, task, state, encoders, sharing = true } = this.#options;
    this.#pass = new MapPass({
      ...this.#options,
      map: job.inputs[input]!.map,
      base: task.base,
      totals: task.totals,
      returned: task.returned,
      status: task.status,
      state,
      table: outputTable(job, encoders),
      encoder: this.#pairs?.encoder,
      emitter: this.#pairs?.emitter,
      concurrency: job.concurrency,
      sharing: !sharing ? "none" : this.#input < 0 ? "first" : "again",
    });
    this.#input = input;
    return this.#pass;
  }

  /** Waits for what is under way, and hands all pairs to the collector. Called when the last record has been mapped. */
  async drain(): Promise<void> {
    if (this.#pass === undefined) return;
    await this.#pass.finish();
    this.#pass.close();
    this.#recordsBefore += this.#pass.records;
    this.#pass = undefined;
    this.#pairs?.emitter.flush();
  }

  /**
   * Waits for what is under way, and flushes all pairs into runs: from then on everything is in what it returns. More
   * records may follow.
   */
  async flush(): Promise<Collecting & { readonly stats: CollectorStats }> {
    await this.drain();
    const { records } = this;
    if (this.#pairs === undefined)
      return {
        records,
        runs: [],
        emissions: 0,
        emissionDigest: 0n,
        stats: { spills: 0, memoryRunBytes: 0, diskRunBytes: 0 },
      };
    const { collector } = this.#pairs;
    collector.spill();
    const { runs, emissions, emissionDigest, stats } = collector;
    return { records, runs, emissions, emissionDigest, stats };
  }

  /** Sorts what was collected into one run; undefined for a map-only job. Called after `drain`. */
  finish(): Collected | undefined {
    if (this.#pairs === undefined) return undefined;
    const { collector } = this.#pairs;
    const run = collector.finish();
    const { emissions, emissionDigest, stats } = collector;
    return { run, emissions, emissionDigest, stats };
  }

  /** The largest groups before combining; undefined where reduce knows them. Called after `drain`. */
  largestGroups(): EncodedGroups | undefined {
    if (this.#pairs === undefined) return undefined;
    const { collector, sizes } = this.#pairs;
    return sizes?.largest(collector.emissions);
  }

  /** Removes everything that was collected, also after `finish`. */
  abort(): void {
    this.#pass?.close();
    this.#pairs?.collector.abort();
  }

  /** Only jobs with pairs take whole blocks. */
  get #collecting(): Pairs {
    assert(this.#pairs !== undefined, "a map-only job has no pairs");
    return this.#pairs;
  }
}

/** The collector, where each batch is shown to `sizes` first. */
function lookedAt(collector: Collector, sizes: GroupSizes): PairTarget {
  const { arena, batchStart, batchEnd } = collector;
  return {
    arena,
    batchStart,
    batchEnd,
    take(end) {
      sizes.takePairs(arena, batchStart, end);
      collector.take(end);
    },
    takeLarge(key, value, partition) {
      sizes.takeLarge(key);
      collector.takeLarge(key, value, partition);
    },
  };
}

function nullOf(job: JobDefinition): Uint8Array {
  const bytes = encodedNull(job);
  assert(bytes !== undefined, "lines are keys of jobs whose values may be null");
  return bytes;
}

function collectOptions({ job, partitions, boundaries, combining = "auto", earlier }: MapSideOptions): CollectOptions {
  return {
    partitions,
    partitioner: kernelPartitioner(job, boundaries),
    group: job.group?.shapes,
    fold: combining === "never" ? undefined : kernelFold(job),
    combining,
    firstEmission: earlier?.emissions ?? 0,
    sums: isCounting(job) || isSummed(job),
  };
}

function kernelPartitioner(job: JobDefinition, boundaries: readonly Uint8Array[]): KernelPartitioner {
  switch (job.partition.kind) {
    case "hash":
      return { kind: "hash" };
    case "range":
      return { kind: "range", boundaries };
    case "function":
      return { kind: "explicit" };
  }
}
