// Heartbeats that wait for an answer: of each worker the newest, until there are orders for it, the interval is over,
// or the worker hangs up.
import { MillraceError } from "../base/error.ts";
import type { WorkerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import { failpoint } from "../base/system/failpoint.ts";
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { QueuedEvent } from "./event-queue.ts";

export interface WaitingCallsOptions {
  readonly clock: Clock;
  /** How long a call waits for orders. Default `limits.heartbeatMs`. */
  readonly heartbeatMs: number | undefined;
  /** The orders of a worker as of now. */
  readonly ordersFor: (worker: WorkerId) => WorkerOrders;
  /** Takes a report to the scheduler. */
  readonly enqueue: (event: QueuedEvent) => void;
  /** Called when a call has waited long enough: it is answered between two steps. */
  readonly overdue: () => void;
}

interface Waiting {
  readonly answer: (orders: WorkerOrders) => void;
  readonly failed: (error: unknown) => void;
}

export class WaitingCalls {
  readonly #options: WaitingCallsOptions;
  readonly #waiting = new Map<WorkerId, Waiting>();
  readonly #overdue = new Set<WorkerId>();

  constructor(options: WaitingCallsOptions) {
    this.#options = options;
  }

  /** Whether there is a call that has waited long enough. */
  get hasOverdue(): boolean {
    return this.#overdue.size > 0;
  }

  /** Takes a call. The promise is settled with its answer. */
  heartbeat(report: WorkerReport, signal?: AbortSignal): Promise<WorkerOrders> {
    return new Promise<WorkerOrders>((resolve, reject) => {
      const { clock, heartbeatMs = limits.heartbeatMs, ordersFor, enqueue, overdue } = this.#options;
      const worker = report.worker;
      const timer = new AbortController();
      const leave = () => {
        timer.abort();
        signal?.removeEventListener("abort", hungUp);
        if (this.#waiting.get(worker) === waiting) this.#waiting.delete(worker);
      };
      const waiting: Waiting = {
        answer: (orders) => {
          failpoint("master.beforeReply");
          leave();
          resolve(orders);
        },
        failed: (error) => {
          leave();
          reject(error);
        },
      };
      // A call that its worker has given up is not answered, but its report counts.
      const hungUp = () => waiting.failed(new MillraceError("cancelled", "the worker ended the call"));
      if (signal?.aborted) return hungUp();
      signal?.addEventListener("abort", hungUp, { once: true });
      enqueue({
        event: { kind: "worker-heard", report },
        done: () => {
          if (timer.signal.aborted) return;
          // The older call's report is durable too, and it gets the same orders as the newer one.
          this.#waiting.get(worker)?.answer(ordersFor(worker));
          this.#waiting.set(worker, waiting);
          void clock.sleep(heartbeatMs, timer.signal).then(() => {
            if (timer.signal.aborted) return;
            this.#overdue.add(worker);
            overdue();
          });
        },
        failed: waiting.failed,
      });
    });
  }

  /** Answers the call of a worker. Does nothing where none waits. */
  answer(worker: WorkerId, orders: WorkerOrders): void {
    this.#waiting.get(worker)?.answer(orders);
  }

  /** Makes all calls overdue, so that every worker reports again. */
  hurry(): void {
    for (const worker of this.#waiting.keys()) this.#overdue.add(worker);
  }

  answerOverdue(): void {
    for (const worker of this.#overdue) this.#waiting.get(worker)?.answer(this.#options.ordersFor(worker));
    this.#overdue.clear();
  }

  reject(error: unknown): void {
    for (const waiting of [...this.#waiting.values()]) waiting.failed(error);
  }
}
