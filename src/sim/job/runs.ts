// What attempts write to a simulated worker's disk: runs of the product's format, in memory.
import { MillraceError } from "../../base/error.ts";
import type { AttemptId } from "../../base/ids.ts";
import { createMemoryFiles } from "../../sort/memory-files.ts";
import type { RunReader, RunRef } from "../../sort/run.ts";
import { openRun } from "../../sort/run-reader.ts";
import type { Chance } from "../chance.ts";
import type { Disk, Offer, OnDisk } from "../disk.ts";

export class RunsOnDisk implements OnDisk {
  readonly attempt: AttemptId;
  readonly files = createMemoryFiles();

  constructor(attempt: AttemptId) {
    this.attempt = attempt;
  }

  get isFinished(): boolean {
    return this.attempt.phase === "map" && this.files.paths.length === 1;
  }

  damage(chance: Chance): void {
    const bytes = this.files.bytesOf(this.files.paths[0]!);
    bytes[chance.below(bytes.length)]! ^= 1 << chance.below(8);
  }

  offer(): Offer | undefined {
    const { attempt, files } = this;
    const path = files.paths[0]!;
    try {
      const reader = openRun(files.open(path), attempt, path);
      const { pairs, emissionDigest } = reader;
      try {
        reader.checkFooter();
      } finally {
        reader.close();
      }
      return { run: { writtenBy: attempt, path, bytes: files.bytesOf(path).length, pairs }, emissionDigest };
    } catch (error) {
      if (error instanceof MillraceError) return undefined;
      throw error;
    }
  }
}

/** Throws `segment-lost` for what is not there, `corrupt-run` for what is damaged. */
export function openOn(disk: Disk, { writtenBy, path }: RunRef): RunReader {
  const found = disk.find(writtenBy);
  if (!(found instanceof RunsOnDisk))
    throw new MillraceError("segment-lost", `${path} is gone`, { retry: "elsewhere" });
  return openRun(found.files.open(path), writtenBy, path);
}
