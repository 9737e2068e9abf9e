// A copy of another worker's run while it is received: a file beside the runs of its job, which becomes one of them
// once all of it has been verified.
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { sameAttempt } from "../../base/ids.ts";
import type { Offer } from "../../protocol/messages.ts";
import type { RunReader } from "../../sort/run.ts";
import { corruptRun } from "../../sort/run-format.ts";
import { openRun } from "../../sort/run-reader.ts";
import { createTier } from "../../tier/tier.ts";

export class ReceivedRun {
  readonly #offer: Offer;
  readonly #path: string;
  readonly #partPath: string;
  #fd: number | undefined;

  /** `offer` is the run as its holder has it. Creates a file at `partPath`, in the same folder as `path`. */
  constructor(offer: Offer, path: string, partPath: string) {
    this.#offer = offer;
    this.#path = path;
    this.#partPath = partPath;
    this.#fd = openSync(this.#partPath, "w", 0o600);
  }

  /** Synchronous, as bytes come in small pieces, which the system takes into its cache. */
  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd!, bytes, done);
  }

  /** Verifies every block, and gives the file its name. Rejects with `corrupt-run`. */
  async finish(): Promise<Offer> {
    this.#close();
    const { run, emissionDigest } = this.#offer;
    const files = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: "/" });
    const bytes = files.open(this.#partPath);
    const { size } = bytes;
    const reader = openRun(bytes, run.writtenBy, this.#partPath);
    try {
      const isIt = reader.pairs === run.pairs && size === run.bytes && sameAttempt(reader.writtenBy, run.writtenBy);
      if (!isIt || reader.emissionDigest !== emissionDigest)
        throw corruptRun(this.#partPath, "it is not the run that was to be copied");
      await verify(reader);
    } finally {
      reader.close();
    }
    renameSync(this.#partPath, this.#path);
    return { run: { ...run, path: this.#path }, emissionDigest };
  }

  /** Removes what there is. May be repeated; does nothing after `finish`. */
  abort(): void {
    this.#close();
    rmSync(this.#partPath, { force: true });
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** Reads all blocks, one between two turns of the event loop, as this is an agent's process. */
async function verify(reader: RunReader): Promise<void> {
  const target = new Uint8Array(reader.blockBytesMax);
  for (const { partition } of reader.segments) {
    const source = reader.source(partition)!;
    let [pairs, digest] = [0, 0n];
    while (source.read(target, 0) > 0) {
      pairs += source.lastPairs;
      digest = BigInt.asUintN(64, digest + source.lastDigest);
      await setImmediate();
    }
    source.end(pairs, digest);
  }
}
