// What has happened and has not been stepped yet.
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

/** In order of arrival; at most one report of each worker, however long a commit takes and however often they call meanwhile. */
export class EventQueue {
  readonly #items: QueuedEvent[] = [];
  readonly #reports = new Map<WorkerId, QueuedEvent>();

  get length(): number {
    return this.#items.length;
  }

  /** False: it took the place of one that waits. */
  add(item: QueuedEvent): boolean {
    if (item.event.kind === "worker-heard" && this.#replaces(item, item.event.report)) return false;
    this.#items.push(item);
    return true;
  }

  /** The first ones, at most so many. */
  take(most: number): QueuedEvent[] {
    const taken = this.#items.splice(0, most);
    for (const { event } of taken) if (event.kind === "worker-heard") this.#reports.delete(event.report.worker);
    return taken;
  }

  /** A newer report says all that the older one said, and what has not been acknowledged again. */
  #replaces(item: QueuedEvent, report: WorkerReport): boolean {
    const queued = this.#reports.get(report.worker);
    const older = queued?.event.kind === "worker-heard" ? queued.event.report : undefined;
    const isNewer =
      older === undefined ||
      older.incarnation < report.incarnation ||
      (older.incarnation === report.incarnation && older.sequence < report.sequence);
    if (!isNewer) return false; // late by a detour: both count
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
