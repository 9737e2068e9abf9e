// The attempts that run on this worker, and their progress.

import { type AttemptId, fullAttemptName, type Instant, type JobId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { RunningAttempt } from "../../protocol/messages.ts";
import type { PageContent } from "../../slot/status-page.ts";
import type { TaskSlot } from "../slots/task-slot.ts";

export interface Running {
  readonly attempt: AttemptId;
  readonly startedAt: Instant;
  /** The attempt's slot; undefined while it waits for one, and when it is over. */
  slot: TaskSlot | undefined;
  /** Aborted when the attempt was revoked: its result is no longer wanted. */
  readonly stop: AbortController;
}

interface Entry extends Running {
  startedAt: Instant;
  /** True while it waits for a slot that others have, and so does not run yet. */
  isWaiting: boolean;
  /** The counter on the status page that was read last, and when it was first seen to differ. */
  beats: number;
  movedAt: Instant;
}

export class RunningAttempts {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #ending = new Set<Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  [Symbol.iterator](): Iterator<Running> {
    return this.#entries.values();
  }

  get(attempt: AttemptId): Running | undefined {
    return this.#entries.get(fullAttemptName(attempt));
  }

  countOf(job: JobId): number {
    let count = 0;
    for (const { attempt } of this.#entries.values()) if (attempt.job === job) count++;
    return count;
  }

  /** `run` deletes the attempt when it is over; `settled` waits for it. */
  add(attempt: AttemptId, run: (running: Running) => Promise<void>): void {
    const now = this.#clock.now();
    const stop = new AbortController();
    const entry: Entry = { attempt, startedAt: now, isWaiting: false, slot: undefined, stop, beats: -1, movedAt: now };
    this.#entries.set(fullAttemptName(attempt), entry);
    const running = run(entry).finally(() => this.#ending.delete(running));
    this.#ending.add(running);
  }

  /** Called when the attempt begins or ends to wait for a slot. Its time begins when it has one. */
  waits(attempt: AttemptId, isWaiting: boolean): void {
    const entry = this.#entries.get(fullAttemptName(attempt));
    if (entry === undefined) return;
    entry.isWaiting = isWaiting;
    entry.startedAt = this.#clock.now();
    entry.movedAt = entry.startedAt;
  }

  delete(attempt: AttemptId): void {
    this.#entries.delete(fullAttemptName(attempt));
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /** As reported: read from the status pages now. */
  statuses(): RunningAttempt[] {
    return [...this.#entries.values()].map((entry) => this.#statusOf(entry));
  }

  #statusOf(entry: Entry): RunningAttempt {
    const now = this.#clock.now();
    if (entry.isWaiting) {
      entry.startedAt = now;
      entry.movedAt = now;
    }
    const page = ownPage(entry);
    if (page !== undefined && page.beats !== entry.beats) {
      entry.beats = page.beats;
      entry.movedAt = now;
    }
    return {
      attempt: entry.attempt,
      records: page?.records ?? 0,
      bytes: page?.bytes ?? 0,
      idleMs: Math.round(now - entry.movedAt),
      runningMs: Math.round(now - entry.startedAt),
      at: page?.at,
      ...(page?.key !== undefined && { key: page.key }),
      ...(page?.hasCheckpoint === true && { hasCheckpoint: true }),
    };
  }
}

/** The slot's page, unless it is of the attempt before. */
function ownPage({ slot, attempt }: Running): PageContent | undefined {
  const page = slot?.page();
  return page?.epoch === attempt.epoch && page.attempt === attempt.attempt ? page : undefined;
}
