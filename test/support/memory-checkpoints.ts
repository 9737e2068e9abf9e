import type { Checkpoint, Checkpoints } from "../../src/checkpoint/checkpoint.ts";
import type { MemoryFiles } from "../../src/sort/memory-files.ts";

/** Checkpoints in memory, as often as an attempt can make them. Each is kept, with the bytes of its runs. */
export class MemoryCheckpoints implements Checkpoints {
  readonly intervalMs: number = 0;
  readonly written: Checkpoint[] = [];
  /** What the next attempt finds. */
  found: Checkpoint | undefined;
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
    const runs = checkpoint.runs.map((run) => {
      const copy = this.#files.create(`checkpoint-${this.#copies++}`);
      copy.write(this.#files.bytesOf(run.path));
      return { ...run, path: copy.finish().path };
    });
    this.written.push({ ...checkpoint, runs });
  }

  discard(): void {
    this.discards++;
    this.written.length = 0;
    this.found = undefined;
  }
}
