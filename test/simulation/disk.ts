// A worker's disk: runs of its attempts. It outlives the process; a new one finds on it what was finished and whole.

import { MillraceError } from "../../src/base/error.ts";
import { type AttemptId, attemptName, type JobId } from "../../src/base/ids.ts";
import type { WorkerReport } from "../../src/protocol/messages.ts";
import type { Chance } from "../../src/sim/chance.ts";
import type { RunRef } from "../../src/sort/run.ts";
import type { RunStore } from "../../src/worker/disk/run-store.ts";
import type { RunContent } from "./workload.ts";

export interface StoredRun {
  readonly ref: RunRef;
  readonly content: RunContent;
  /** A bit of it was flipped: its checks fail. */
  isDamaged: boolean;
}

export class Disk {
  readonly worker: string;
  readonly runs = new Map<string, StoredRun>();
  /** Nothing can be written until then. */
  isFull = false;

  constructor(worker: string) {
    this.worker = worker;
  }

  /** Throws `no-space`. */
  write(content: RunContent): RunRef {
    if (this.isFull) throw new MillraceError("no-space", `${this.worker}: no space left`, { retry: "elsewhere" });
    const { attempt } = content;
    const path = `/runs/${this.worker}/${attempt.job}/${attemptName(attempt)}.run`;
    const pairs = content.partitions.reduce((sum, ids) => sum + ids.length, 0);
    const ref: RunRef = { writtenBy: attempt, path, bytes: 100 + pairs * 10, pairs };
    this.runs.set(path, { ref, content, isDamaged: false });
    return ref;
  }

  /** What a new process verifies and offers (worker/disk/offered.ts): footers only, so damage within goes unnoticed here. */
  offered(): WorkerReport["offered"] {
    return [...this.runs.values()].map(({ ref, content }) => ({ run: ref, emissionDigest: content.emissionDigest }));
  }

  /** One run, any. */
  any(chance: Chance): StoredRun | undefined {
    return [...this.runs.values()][chance.below(this.runs.size)];
  }

  lose(run: StoredRun): void {
    this.runs.delete(run.ref.path);
  }
}

/** The agent's `RunStore` on such a disk. */
export function simRunStore(disk: Disk): RunStore {
  const places = `/runs/${disk.worker}`;
  return {
    begin(_attempt, slot) {
      if (disk.isFull) throw new MillraceError("no-space", `${disk.worker}: no space left`, { retry: "elsewhere" });
      return { directory: `${places}/${slot}`, memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: places };
    },
    clear() {},
    end(attempt: AttemptId, { isFailed }) {
      if (!isFailed) return;
      const prefix = `${places}/${attempt.job}/${attemptName(attempt)}.`;
      for (const path of [...disk.runs.keys()]) if (path.startsWith(prefix)) disk.runs.delete(path);
    },
    isOf: () => true,
    keep() {},
    discard(job: JobId) {
      for (const [path, { ref }] of [...disk.runs]) if (ref.writtenBy.job === job) disk.runs.delete(path);
    },
    jobs: () => [...new Set([...disk.runs.values()].map(({ ref }) => ref.writtenBy.job))],
    settled: async () => {},
  };
}
