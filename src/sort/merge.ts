// Merging sorted inputs of one partition, in as many passes as it takes. Only adjacent inputs are merged, in their
// order, so that the values of a key stay in input order. Intermediate runs go through the same files as all runs, and
// are removed as soon as they have been read. Every pass reads its inputs to their ends and checks counts and digests
// against what was written. Where nothing is folded, the output of a pass must also add up to its input.
//
// Blocks that the arena can't hold (a value may have 64 MiB) are merged on the heap, a few at once (merge-plan.ts).
// That takes `heapMergeBytes` besides the arena, or two of the largest blocks; with a fold about three times that, as
// folded values are copies.
import { assert } from "../base/assert.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";
import type { Kernel, KernelFold, MergeStream, PairBlock } from "../kernel/kernel.ts";
import { ReferenceMerge } from "../kernel/reference-merge.ts";
import { MergeCursor } from "./cursor.ts";
import { heapMerge } from "./heap-merge.ts";
import { type MergeInput, type OpenInput, readerInput, runInput } from "./merge-input.ts";
import { createFanIn, nextWindow } from "./merge-plan.ts";
import type { BlockCursor, RunFiles, RunReader, RunRef } from "./run.ts";
import { openRun } from "./run-reader.ts";
import { createRunWriter } from "./run-writer.ts";

/** What the merges of one attempt share. */
export interface MergeOptions {
  readonly kernel: Kernel;
  readonly fold: KernelFold | undefined;
  /** Where intermediate runs are made. */
  readonly files: RunFiles;
  /** The attempt that is named in intermediate runs as their writer. */
  readonly attempt: AttemptId;
  /** Called for each merged block: it shows that a pass over many gigabytes is alive. */
  readonly beat?: (() => void) | undefined;
}

/**
 * A merge under way, which reads on as its blocks are asked for. There is one at a time, because it works in the
 * kernel's arena. Callers that do not read it to the end call `close`.
 */
export interface Merge extends MergeStream {
  /** Closes the inputs and removes intermediate runs. The merge calls it itself at its end; it may be repeated. */
  close(): void;
}

/**
 * Merges one partition after another. It numbers its intermediate runs, so that their names are unique in an attempt.
 */
export interface Merger {
  /**
   * Does all passes but the last, whose blocks are read from the result. The merge before must be at its end or closed.
   */
  merge(inputs: readonly MergeInput[], partition: number): Merge;
}

/**
 * A cursor over one partition of opened runs, which are given in the order of their ordinals. The cursor closes the
 * runs.
 */
export function mergeRuns(readers: readonly RunReader[], partition: number, options: MergeOptions): BlockCursor {
  const closeAll = () => {
    for (const reader of readers) reader.close();
  };
  try {
    const inputs = readers.flatMap((reader) => readerInput(reader, partition) ?? []);
    const merge = createMerger(options).merge(inputs, partition);
    return new MergeCursor(merge, closeAll);
  } catch (error) {
    closeAll();
    throw error;
  }
}

export function createMerger(options: MergeOptions): Merger {
  const fanIn = createFanIn(options.kernel);
  let runs = 0;
  return {
    merge(inputs, partition) {
      const merge = new RunMerge(options, partition);
      try {
        let left = inputs;
        for (let window = nextWindow(left, fanIn); window !== undefined; window = nextWindow(left, fanIn)) {
          const name = `${attemptName(options.attempt)}.merge-${runs++}`;
          const merged = merge.toRun(left.slice(window.start, window.end), name);
          left = [...left.slice(0, window.start), merged, ...left.slice(window.end)];
        }
        merge.start(left);
        return merge;
      } catch (error) {
        merge.close();
        throw error;
      }
    },
  };
}

class RunMerge implements Merge {
  readonly #options: MergeOptions;
  readonly #partition: number;
  /** Paths of the intermediate runs that exist. */
  readonly #made = new Map<MergeInput, string>();
  // The pass under way: its inputs, and the pairs and digests that went in and have not come out yet.
  #stream: MergeStream | undefined;
  #inputs: readonly MergeInput[] = [];
  #open: OpenInput[] = [];
  #pairsLeft = 0;
  #digestLeft = 0n;

  constructor(options: MergeOptions, partition: number) {
    this.#options = options;
    this.#partition = partition;
  }

  /** Opens the inputs of a pass; then `next` hands out its blocks. */
  start(inputs: readonly MergeInput[]): void {
    const { kernel, fold } = this.#options;
    this.#inputs = inputs;
    this.#pairsLeft = 0;
    this.#digestLeft = 0n;
    let blockBytesMax = 0;
    for (const input of inputs) {
      this.#open.push(input.open());
      this.#pairsLeft += input.pairs;
      this.#digestLeft += input.digest;
      blockBytesMax = Math.max(blockBytesMax, input.blockBytesMax);
    }
    const sources = this.#open.map((input) => input.source);
    if (kernel.mergeFits(sources.length, blockBytesMax)) this.#stream = kernel.merge(sources, fold);
    else if (fold === undefined) this.#stream = heapMerge(sources, kernel.blockBytes);
    else this.#stream = new ReferenceMerge(sources, fold, kernel.blockBytes, () => true);
  }

  next(): PairBlock | undefined {
    if (this.#stream === undefined) return undefined;
    const block = this.#stream.next();
    if (block === undefined) {
      this.#end();
      return undefined;
    }
    this.#options.beat?.();
    this.#pairsLeft -= block.pairs;
    this.#digestLeft -= block.digest;
    return block;
  }

  /** Merges inputs into a run, which is an input of a later pass. */
  toRun(inputs: readonly MergeInput[], name: string): MergeInput {
    const { files, attempt } = this.#options;
    const writer = createRunWriter(files, name, attempt);
    let run: RunRef;
    try {
      this.start(inputs);
      for (let block = this.next(); block !== undefined; block = this.next()) {
        const { bytes, start, end, pairs, prefixBytes, digest } = block;
        writer.block(this.#partition, bytes, start, end, pairs, prefixBytes, digest);
      }
      run = writer.finish(0n);
    } catch (error) {
      writer.abort();
      throw error;
    }
    const open = () => openRun(files.open(run.path), attempt, run.path);
    try {
      const input = runInput(open, this.#partition);
      assert(input !== undefined, "what was merged is there");
      this.#made.set(input, run.path);
      return input;
    } catch (error) {
      removeQuietly(files, run.path);
      throw error;
    }
  }

  close(): void {
    this.#stream = undefined;
    this.#closeInputs();
    for (const path of this.#made.values()) removeQuietly(this.#options.files, path);
    this.#made.clear();
  }

  /** Ends a pass that was read whole: closes its inputs, and removes those that were made here. */
  #end(): void {
    this.#stream = undefined;
    if (this.#options.fold === undefined) {
      assert(this.#pairsLeft === 0, "a merge hands out as many pairs as it was given");
      assert(BigInt.asUintN(64, this.#digestLeft) === 0n, "a merge hands out the pairs that it was given");
    }
    this.#closeInputs();
    for (const input of this.#inputs) {
      const path = this.#made.get(input);
      if (path === undefined) continue;
      this.#options.files.remove(path);
      this.#made.delete(input);
    }
  }

  #closeInputs(): void {
    const open = this.#open;
    this.#open = [];
    for (const input of open) input.close();
  }
}

/**
 * Removes a file after a failure. The caller reports that failure, so a second one is not thrown; what fails once may
 * not fail twice, so it is tried twice.
 */
export function removeQuietly(files: RunFiles, path: string): void {
  for (let tries = 0; tries < 2; tries++) {
    try {
      files.remove(path);
      return;
    } catch {
      // A file that still can't be removed goes with the job's directory when the job ends.
    }
  }
}
