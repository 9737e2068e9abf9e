import { sameAttempt } from "../base/ids.ts";
import { footerReads } from "../sort/footer-reads.ts";
import type { RunRef } from "../sort/run.ts";
import type { FooterTable } from "../sort/run-footer.ts";
import { attemptOf, corruptRun } from "../sort/run-format.ts";
import type { ServedFile } from "./served-file.ts";

/** Footers of runs that were asked for, those used last: a run is asked for once per partition. */
export class FooterCache {
  readonly #bytesMax: number;
  /** By path, in the order of their last use. */
  readonly #held = new Map<string, FooterTable>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find({ path }: RunRef): FooterTable | undefined {
    const footer = this.#held.get(path);
    if (footer === undefined) return undefined;
    this.#held.delete(path);
    this.#held.set(path, footer);
    return footer;
  }

  /** Reads and keeps it. Rejects with `corrupt-run` unless it is that of the run that was reported. */
  async read(run: RunRef, file: ServedFile): Promise<FooterTable> {
    const { path, bytes, writtenBy } = run;
    const reads = footerReads(bytes, path);
    let next = reads.next();
    while (next.done !== true) {
      const { length, position } = next.value;
      const buffer = Buffer.allocUnsafe(length);
      await file.read(buffer, 0, length, position);
      next = reads.next(buffer);
    }
    const footer = next.value;
    if (!sameAttempt(footer.writtenBy, writtenBy)) {
      throw corruptRun(path, `written by ${attemptOf(footer.writtenBy)}, not by ${attemptOf(writtenBy)}`);
    }
    this.#keep(path, footer);
    return footer;
  }

  /** Its file turned out to be gone or damaged. */
  drop({ path }: RunRef): void {
    const footer = this.#held.get(path);
    if (footer === undefined) return;
    this.#held.delete(path);
    this.#bytes -= footer.heldBytes;
  }

  #keep(path: string, footer: FooterTable): void {
    if (this.#held.has(path)) return; // two requests read it at once
    this.#held.set(path, footer);
    this.#bytes += footer.heldBytes;
    for (const [oldest, held] of this.#held) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#held.delete(oldest);
      this.#bytes -= held.heldBytes;
    }
  }
}
