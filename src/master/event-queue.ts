// The events that have happened, and which the scheduler has not stepped through yet.
import { MillraceError } from "../base/error.ts";
import type { WorkerId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { SchedulerEvent } from "../schedule/step.ts";

export interface QueuedEvent {
  event: SchedulerEvent;
  /** Called after the commit that holds the event. */
  done: () => void;
  failed: (error: unknown) => void;
}

/**
 * Events in order of arrival, with at most one report per worker, however long a commit takes and however often workers
 * call.
 */
export class EventQueue {
  readonly #items: QueuedEvent[] = [];
  readonly #reports = new Map<WorkerId, QueuedEvent>();

  get length(): number {
    return this.#items.length;
  }

  /** Adds an event. Returns false when it took the place of a waiting one. */
  add(item: QueuedEvent): boolean {
    if (item.event.kind === "worker-heard" && this.#replaces(item, item.event.report)) return false;
    this.#items.push(item);
    return true;
  }

  /** Removes and returns the first events, at most `most` of them. */
  take(most: number): QueuedEvent[] {
    const taken = this.#items.splice(0, most);
    for (const { event } of taken) if (event.kind === "worker-heard") this.#reports.delete(event.report.worker);
    return taken;
  }

  /** A newer report repeats everything of the older one that was not acknowledged, so it may replace it. */
  #replaces(item: QueuedEvent, report: WorkerReport): boolean {
    const queued = this.#reports.get(report.worker);
    const older = queued?.event.kind === "worker-heard" ? queued.event.report : undefined;
    const isNewer =
      older === undefined ||
      older.incarnation < report.incarnation ||
      (older.incarnation === report.incarnation && older.sequence < report.sequence);
    if (!isNewer) return false; // it arrived late, by a detour: both count
    if (queued === undefined || older === undefined || older.incarnation !== report.incarnation) {
      this.#reports.set(report.worker, item);
      return false;
    }
    const { failed } = queued;
    Object.assign(queued, item);
    failed(new MillraceError("cancelled", "a newer report has taken the place of this one"));
    return true;
  }
}
