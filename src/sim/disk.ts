// A simulated worker's disk: what its attempts have written. It outlives the worker's process, or is lost with it.
import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName, type JobId, sameAttempt } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { RunStore } from "../worker/disk/run-store.ts";
import type { Chance } from "./chance.ts";

export type Offer = WorkerReport["offered"][number];

/** What one attempt has on a disk. Slots decide what it is made of. */
export interface OnDisk {
  readonly attempt: AttemptId;
  /** A map output that others may read. */
  readonly isFinished: boolean;
  /** A bit of it flips. */
  damage(chance: Chance): void;
  /** As a new process of the worker finds it (worker/disk/offered.ts); undefined: not whole, so it is removed. */
  offer(): Offer | undefined;
}

export class Disk {
  /** Nothing can be written. */
  isFull = false;
  readonly #worker: string;
  readonly #entries = new Map<string, OnDisk>();

  constructor(worker: string) {
    this.#worker = worker;
  }

  /** Throws `no-space`. */
  write(entry: OnDisk): void {
    this.#checkSpace();
    this.#entries.set(keyOf(entry.attempt), entry);
  }

  find(attempt: AttemptId): OnDisk | undefined {
    return this.#entries.get(keyOf(attempt));
  }

  /** A finished map output, any; undefined where there is none. */
  any(chance: Chance): OnDisk | undefined {
    const finished = this.finished();
    return finished[chance.below(finished.length)];
  }

  finished(): OnDisk[] {
    return [...this.#entries.values()].filter(({ isFinished }) => isFinished);
  }

  lose(attempt: AttemptId): void {
    this.#entries.delete(keyOf(attempt));
  }

  /** What a new process finds here whole; the rest goes. */
  offered(): Offer[] {
    const offered: Offer[] = [];
    for (const [key, entry] of [...this.#entries]) {
      const offer = entry.isFinished ? entry.offer() : undefined;
      if (offer === undefined) this.#entries.delete(key);
      else offered.push(offer);
    }
    return offered;
  }

  /** As the agent uses it. */
  runStore(): RunStore {
    return {
      begin: () => {
        this.#checkSpace();
        return { directory: "", memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: "" };
      },
      clear() {},
      end: (attempt, { kept }) => {
        if (kept === undefined) this.lose(attempt);
      },
      // No simulated slot lies about its run. One whose run is gone by now does not lie either: readers will miss it.
      lookAt: (attempt, run) => (sameAttempt(attempt, run.writtenBy) ? "own" : "foreign"),
      keep() {},
      discard: (job) => {
        for (const { attempt } of [...this.#entries.values()]) if (attempt.job === job) this.lose(attempt);
      },
      jobs: () => [...new Set<JobId>([...this.#entries.values()].map(({ attempt }) => attempt.job))],
      settled: async () => {},
    };
  }

  #checkSpace(): void {
    if (this.isFull) throw new MillraceError("no-space", `${this.#worker}: no space left`, { retry: "elsewhere" });
  }
}

function keyOf(attempt: AttemptId): string {
  return `${attempt.job}/${attemptName(attempt)}`;
}
