// The map side of collecting: emitted pairs go into the kernel's arena. When the arena is full, it is flushed as a
// sorted run (a spill); at the end all spills are merged into one run. Where nothing was spilled, the arena is flushed
// straight into that run.
import { assert } from "../base/assert.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";
import type { Collect, CollectOptions, Kernel, WordEnds } from "../kernel/kernel.ts";
import { measureFiles } from "./measured-files.ts";
import { createMerger, type Merger, removeQuietly } from "./merge.ts";
import { type MergeInput, readerInput } from "./merge-input.ts";
import { createFanIn, nextWindow } from "./merge-plan.ts";
import type { RunFiles, RunReader, RunRef } from "./run.ts";
import { openRun } from "./run-reader.ts";
import { createRunWriter, type FileRunWriter } from "./run-writer.ts";

export interface CollectorOptions {
  /** The arena is the collector's until `finish`. */
  readonly kernel: Kernel;
  readonly files: RunFiles;
  readonly attempt: AttemptId;
  /** Its `firstEmission` goes on behind `earlier`; without that it is 0. */
  readonly options: CollectOptions;
  /** Called for each block that `finish` merges: it shows that a long merge is alive. */
  readonly beat?: (() => void) | undefined;
  /** The spills of an earlier attempt at the task, in a checkpoint of it: read first, never changed or removed. */
  readonly earlier?: { readonly runs: readonly RunRef[]; readonly emissionDigest: bigint } | undefined;
}

/**
 * What `emit` writes to. A map attempt has one, and ends it by `finish` or `abort`. Every method may throw `no-space`,
 * `io-error` or what a fold throws; then call `abort`.
 */
export interface Collector {
  /** Where the caller writes pairs (kernel.ts): arena[batchStart, batchEnd). Fixed until `finish`. */
  readonly arena: Uint8Array;
  readonly batchStart: number;
  readonly batchEnd: number;
  /** Takes the pairs written to arena[batchStart, end), spilling as needed; then the batch is empty. */
  take(end: number): void;
  /**
   * Takes the words of the text in arena[start, end), which lies within the batch's region while that holds no pairs.
   * Returns a word that is too long to be taken: the caller takes it by itself, and goes on behind it. Only with `sums`
   * (kernel.ts).
   */
  takeWords(start: number, end: number, ends: WordEnds): { readonly start: number; readonly end: number } | undefined;
  /** Counts the line feeds in arena[start, end). */
  countLines(start: number, end: number): number;
  /**
   * Takes a pair that is too large for the batch. The batch must be empty (`take` first). `partition` is given only
   * with an explicit partitioner.
   */
  takeLarge(key: Uint8Array, value: Uint8Array, partition: number | undefined): void;
  /**
   * Flushes the held pairs into a run, so that everything taken so far is in `runs`. Does nothing where nothing is
   * held.
   */
  spill(): void;
  /**
   * Ends collecting. Returns one run of everything, in (partition, key, emission) order, folded where there is a fold.
   * Called once.
   */
  finish(): RunRef;
  /** Removes every run that was made here, the one of `finish` too. May be called at any time, and repeated. */
  abort(): void;
  /** The runs so far, earlier ones included, in order of emission. */
  readonly runs: readonly RunRef[];
  /** Emissions so far, earlier ones included. */
  readonly emissions: number;
  /** The digest of all emissions, earlier ones included. */
  readonly emissionDigest: bigint;
  readonly stats: CollectorStats;
}

export interface CollectorStats {
  /** How often the arena was full before the end. */
  readonly spills: number;
  /** Bytes of all runs written, by where they ended up. */
  readonly memoryRunBytes: number;
  readonly diskRunBytes: number;
}

/** Intermediate runs need no emission digest: no one else sees them before they are merged. */
const noDigest = () => 0n;

export function createCollector(options: CollectorOptions): Collector {
  return new RunCollector(options);
}

class RunCollector implements Collector {
  readonly arena: Uint8Array;
  readonly batchStart: number;
  readonly batchEnd: number;
  readonly #kernel: Kernel;
  readonly #files: ReturnType<typeof measureFiles>;
  readonly #attempt: AttemptId;
  readonly #options: CollectOptions;
  readonly #collect: Collect;
  readonly #earlierDigest: bigint;
  readonly #beat: (() => void) | undefined;
  #runs: readonly RunRef[];
  /** Paths of the runs that were made here and still exist. */
  readonly #made = new Set<string>();
  #state: "collecting" | "finished" | "aborted" = "collecting";
  #spills = 0;
  #names = 0;
  #emissions: number;
  #emissionDigest = 0n;

  constructor({ kernel, files, attempt, options, earlier, beat }: CollectorOptions) {
    this.#beat = beat;
    this.#kernel = kernel;
    this.#files = measureFiles(files);
    this.#attempt = attempt;
    this.#options = options;
    this.#runs = earlier?.runs ?? [];
    this.#earlierDigest = earlier?.emissionDigest ?? 0n;
    this.#emissions = options.firstEmission;
    this.#collect = kernel.collect(options);
    this.arena = kernel.arena;
    this.batchStart = this.#collect.batchStart;
    this.batchEnd = this.#collect.batchEnd;
  }

  get runs(): readonly RunRef[] {
    return this.#runs;
  }
  get emissions(): number {
    return this.#state === "collecting" ? this.#collect.emissions : this.#emissions;
  }
  get emissionDigest(): bigint {
    const own = this.#state === "collecting" ? this.#collect.emissionDigest : this.#emissionDigest;
    return BigInt.asUintN(64, own + this.#earlierDigest);
  }
  get stats(): CollectorStats {
    return { spills: this.#spills, memoryRunBytes: this.#files.memoryBytes, diskRunBytes: this.#files.diskBytes };
  }

  take(end: number): void {
    if (this.#collect.addBatch(end) === "taken") return;
    do {
      assert(this.#collect.held > 0, "a batch's pair always fits into an empty arena");
      this.spill();
    } while (this.#collect.addBatch(end) === "full");
  }

  takeWords(start: number, end: number, ends: WordEnds): { readonly start: number; readonly end: number } | undefined {
    for (let from = start; ; ) {
      const taken = this.#collect.addWords(from, end, ends);
      if (taken.kind === "taken") return undefined;
      if (taken.kind === "long") return taken;
      assert(this.#collect.held > 0, "a word always fits into an empty arena");
      this.spill();
      from = taken.start;
    }
  }

  countLines(start: number, end: number): number {
    return this.#collect.countLines(start, end);
  }

  takeLarge(key: Uint8Array, value: Uint8Array, partition: number | undefined): void {
    if (this.#collect.addLarge(key, value, partition) === "taken") return;
    this.spill();
    if (this.#collect.addLarge(key, value, partition) === "taken") return;
    // The arena can't hold it: it becomes a run of its own, between what was emitted before and what comes after.
    const place = this.#collect.placeLarge(key, value, partition);
    this.#spill((writer) => writer.largePair(place.partition, key, value, place.digest));
  }

  spill(): void {
    if (this.#collect.held > 0) this.#spill((writer) => this.#collect.flush(writer));
  }

  finish(): RunRef {
    assert(this.#state === "collecting", "collecting ends once");
    const name = `${attemptName(this.#attempt)}.run`;
    if (this.#runs.length === 0) {
      const run = this.#write(
        name,
        () => this.emissionDigest,
        (writer) => this.#collect.flush(writer),
      );
      this.#end();
      this.#runs = [run];
      return run;
    }
    this.spill();
    this.#end();
    const merger = createMerger({
      kernel: this.#kernel,
      fold: this.#options.fold,
      files: this.#files,
      attempt: this.#attempt,
      beat: this.#beat,
    });
    const kernelFanIn = createFanIn(this.#kernel);
    // The fan-in counts runs, each of which is open for all partitions. A partition with larger blocks than most has
    // passes of its own.
    const fanIn = () => kernelFanIn(this.#kernel.blockBytes);
    for (;;) {
      const window = nextWindow(
        this.#runs.map((run) => ({ bytes: run.bytes, blockBytesMax: this.#kernel.blockBytes })),
        fanIn,
      );
      const { start, end } = window ?? { start: 0, end: this.#runs.length };
      const inputs = this.#runs.slice(start, end);
      const run =
        window === undefined
          ? this.#write(
              name,
              () => this.emissionDigest,
              (writer) => this.#merge(inputs, writer, merger),
            )
          : this.#write(this.#spillName(), noDigest, (writer) => this.#merge(inputs, writer, merger));
      this.#runs = [...this.#runs.slice(0, start), run, ...this.#runs.slice(end)];
      for (const input of inputs) this.#remove(input.path);
      if (window === undefined) return run;
    }
  }

  abort(): void {
    this.#state = "aborted";
    for (const path of this.#made) removeQuietly(this.#files, path);
    this.#made.clear();
    this.#runs = [];
  }

  #end(): void {
    this.#emissions = this.#collect.emissions;
    this.#emissionDigest = this.#collect.emissionDigest;
    this.#state = "finished";
  }

  #spillName(): string {
    return `${attemptName(this.#attempt)}.spill-${this.#names++}`;
  }

  #spill(fill: (writer: FileRunWriter) => void): void {
    assert(this.#state === "collecting", "collecting is over");
    const run = this.#write(this.#spillName(), noDigest, fill);
    this.#runs = [...this.#runs, run];
    this.#spills++;
  }

  #write(name: string, emissionDigest: () => bigint, fill: (writer: FileRunWriter) => void): RunRef {
    const writer = createRunWriter(this.#files, name, this.#attempt);
    try {
      fill(writer);
      const run = writer.finish(emissionDigest()); // the digest is complete when all has been handed out
      this.#made.add(run.path);
      return run;
    } catch (error) {
      writer.abort();
      throw error;
    }
  }

  /** Merges adjacent runs, partition by partition. */
  #merge(runs: readonly RunRef[], writer: FileRunWriter, merger: Merger): void {
    const readers: RunReader[] = [];
    try {
      for (const run of runs) {
        readers.push(openRun(this.#files.open(run.path), run.writtenBy, run.path));
      }
      for (let partition = 0; partition < this.#options.partitions; partition++) {
        const inputs = readers.flatMap((reader): MergeInput | [] => readerInput(reader, partition) ?? []);
        if (inputs.length === 0) continue;
        const merge = merger.merge(inputs, partition);
        try {
          for (let block = merge.next(); block !== undefined; block = merge.next()) {
            const { bytes, start, end, pairs, prefixBytes, digest } = block;
            writer.block(partition, bytes, start, end, pairs, prefixBytes, digest);
          }
        } finally {
          merge.close();
        }
      }
    } finally {
      for (const reader of readers) reader.close();
    }
    if (this.#options.fold === undefined) {
      const expected = runs.reduce((sum, run) => sum + run.pairs, 0);
      assert(writer.pairs === expected, "no pair is lost or doubled by a merge");
    }
  }

  /** Removes only runs that were made here: those of an earlier attempt are not ours. */
  #remove(path: string): void {
    if (!this.#made.has(path)) return;
    this.#files.remove(path);
    this.#made.delete(path);
  }
}
