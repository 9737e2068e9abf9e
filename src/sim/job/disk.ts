// A simulated worker's disk: the runs of its attempts, in memory. It outlives the worker's process, or is lost with it.
import { MillraceError } from "../../base/error.ts";
import { type AttemptId, attemptName } from "../../base/ids.ts";
import type { WorkerReport } from "../../protocol/messages.ts";
import { createMemoryFiles, type MemoryFiles } from "../../sort/memory-files.ts";
import type { RunReader, RunRef } from "../../sort/run.ts";
import { openRun } from "../../sort/run-reader.ts";
import type { RunStore } from "../../worker/disk/run-store.ts";
import type { Chance } from "../chance.ts";

interface Entry {
  readonly attempt: AttemptId;
  readonly files: MemoryFiles;
}

export class Disk {
  /** By the attempt's name. */
  readonly #entries = new Map<string, Entry>();

  /** Files of an attempt that begins. */
  filesOf(attempt: AttemptId): MemoryFiles {
    const files = createMemoryFiles();
    this.#entries.set(attemptName(attempt), { attempt, files });
    return files;
  }

  /** Throws `segment-lost` for what is not there, `corrupt-run` for what is damaged. */
  open({ writtenBy, path }: RunRef): RunReader {
    const entry = this.#entries.get(attemptName(writtenBy));
    if (entry === undefined) throw new MillraceError("segment-lost", `${path} is gone`, { retry: "elsewhere" });
    return openRun(entry.files.open(path), writtenBy, path);
  }

  /** A finished map output, any; undefined where there is none. */
  any(chance: Chance): AttemptId | undefined {
    const finished = [...this.#entries.values()].filter(isOffered);
    return finished.length === 0 ? undefined : chance.one(finished).attempt;
  }

  lose(attempt: AttemptId): void {
    this.#entries.delete(attemptName(attempt));
  }

  /** Flips a bit of its run. */
  damage(attempt: AttemptId, chance: Chance): void {
    const { files } = this.#entries.get(attemptName(attempt))!;
    const bytes = files.bytesOf(files.paths[0]!);
    bytes[chance.below(bytes.length)]! ^= 1 << chance.below(8);
  }

  /** What a new process finds here whole (as worker/disk/offered.ts does); the rest goes. */
  offered(): WorkerReport["offered"] {
    const offered: WorkerReport["offered"][number][] = [];
    for (const [name, entry] of [...this.#entries]) {
      const offer = isOffered(entry) ? verified(entry) : undefined;
      if (offer === undefined) this.#entries.delete(name);
      else offered.push(offer);
    }
    return offered;
  }

  /** As the agent uses it. */
  runStore(): RunStore {
    return {
      begin: () => ({ directory: "", memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: "" }),
      clear() {},
      end: (attempt, { kept }) => {
        if (kept === undefined) this.lose(attempt);
      },
      isOf: () => true,
      keep() {},
      discard: (job) => {
        for (const { attempt } of [...this.#entries.values()]) if (attempt.job === job) this.lose(attempt);
      },
      jobs: () => [...new Set([...this.#entries.values()].map(({ attempt }) => attempt.job))],
      settled: async () => {},
    };
  }
}

function isOffered({ attempt, files }: Entry): boolean {
  return attempt.phase === "map" && files.paths.length === 1;
}

function verified({ attempt, files }: Entry): WorkerReport["offered"][number] | undefined {
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
