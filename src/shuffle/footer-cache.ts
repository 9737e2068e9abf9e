// Footers on the serving side of the shuffle, so that each is read from disk once and not once per partition.
import { sameAttempt } from "../base/ids.ts";
import { openFooter, type Reads, type RunFooter } from "../sort/footer-reads.ts";
import type { RunRef } from "../sort/run.ts";
import { attemptOf, corruptRun } from "../sort/run-format.ts";
import type { ServedFile } from "./served-file.ts";

/** Keeps the footers of the runs that were asked for last, because a run is asked for once per partition. */
export class FooterCache {
  readonly #bytesMax: number;
  /** Footers by path, in the order of their last use. */
  readonly #held = new Map<string, RunFooter>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find({ path }: RunRef): RunFooter | undefined {
    const footer = this.#held.get(path);
    if (footer === undefined) return undefined;
    this.#held.delete(path);
    this.#held.set(path, footer);
    return footer;
  }

  /** Reads the footer and keeps it. Rejects with `corrupt-run` unless it belongs to the run that was reported. */
  async read(run: RunRef, file: ServedFile): Promise<RunFooter> {
    const { path, bytes, writtenBy } = run;
    const footer = await readLater(openFooter(bytes, path), () => Promise.resolve(file));
    if (!sameAttempt(footer.writtenBy, writtenBy)) {
      throw corruptRun(path, `written by ${attemptOf(footer.writtenBy)}, not by ${attemptOf(writtenBy)}`);
    }
    this.#keep(path, footer);
    return footer;
  }

  /** Forgets the footer of a run whose file turned out to be gone or damaged. */
  drop({ path }: RunRef): void {
    const footer = this.#held.get(path);
    if (footer === undefined) return;
    this.#held.delete(path);
    this.#bytes -= footer.heldBytes;
  }

  #keep(path: string, footer: RunFooter): void {
    if (this.#held.has(path)) return; // two requests read it at the same time
    this.#held.set(path, footer);
    this.#bytes += footer.heldBytes;
    for (const [oldest, held] of this.#held) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#held.delete(oldest);
      this.#bytes -= held.heldBytes;
    }
  }
}

/** Does the reads that are asked for, from a file that is opened for the first of them. */
export async function readLater<T>(reads: Reads<T>, open: () => Promise<ServedFile>): Promise<T> {
  let next = reads.next();
  while (next.done !== true) {
    const { length, position } = next.value;
    const buffer = Buffer.allocUnsafe(length);
    await (await open()).read(buffer, 0, length, position);
    next = reads.next(buffer);
  }
  return next.value;
}
