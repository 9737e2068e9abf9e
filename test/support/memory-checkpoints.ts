import type { Checkpoint, Checkpoints, MapCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import type { MemoryFiles } from "../../src/sort/memory-files.ts";

/**
 * Checkpoints in memory, as often as an attempt can make them. Each is kept, with the bytes of its runs. `C`: what the
 * attempts make.
 */
export class MemoryCheckpoints<C extends Checkpoint = MapCheckpoint> implements Checkpoints {
  readonly intervalMs: number = 0;
  readonly written: C[] = [];
  /** What the next attempt finds. */
  found: C | undefined;
  discards = 0;
  readonly #files: MemoryFiles;
  #copies = 0;

  constructor(files: MemoryFiles) {
    this.#files = files;
  }

  newest(): Checkpoint | undefined {
    return this.found;
  }

  write(checkpoint: Checkpoint): void {
    this.written.push((checkpoint.kind === "map" ? this.#withRuns(checkpoint) : checkpoint) as C);
  }

  #withRuns(checkpoint: MapCheckpoint): MapCheckpoint {
    const runs = checkpoint.runs.map((run) => {
      const copy = this.#files.create(`checkpoint-${this.#copies++}`);
      copy.write(this.#files.bytesOf(run.path));
      return { ...run, path: copy.finish().path };
    });
    return { ...checkpoint, runs };
  }

  discard(): void {
    this.discards++;
    this.written.length = 0;
    this.found = undefined;
  }
}
