// Repeats the one call that a worker makes: a report of everything that it knows, answered by everything that it must
// do (docs/protocol.md). A report with news is sent immediately, while the older call is still open; the master then
// ends that one, and its answer is followed too. A call without an answer is given up in time for another one within
// the lease.

import { MillraceError } from "../../base/error.ts";
import type { Instant } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import { failpoint } from "../../base/system/failpoint.ts";
import type { WorkerOrders, WorkerReport } from "../../protocol/messages.ts";
import type { Heartbeats } from "../../protocol/services.ts";

export interface MasterCallsOptions {
  readonly master: Heartbeats;
  readonly clock: Clock;
  readonly random: () => number;
  /** Makes the report, with everything that is known now. Called for each call. */
  readonly report: (sequence: number) => WorkerReport;
  /**
   * An answer, in whatever order they come, but none of a former leader. `isFresh`: the report was sent within the
   * lease; an older answer lay about meanwhile (a stopped process, a half-open connection), and the master may have
   * given up on it.
   */
  readonly answered: (orders: WorkerOrders, report: WorkerReport, isFresh: boolean) => void;
  readonly failed: (error: unknown) => void;
}

/** The first pause after a failed call. It is doubled up to the heartbeat's interval, with jitter. */
const retryMsMin = 50;

export class MasterCalls {
  readonly #options: MasterCallsOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** The sequences of reports that may still be answered. */
  readonly #asked = new Set<number>();
  readonly #running: Promise<void>;
  #news = new AbortController();
  #sequence = 0;
  #epoch = 0;
  #leaseMs: number = limits.leaseMs;
  /** When the newest answered report was sent, which is when the lease begins. */
  #heardAt: Instant;

  /** Begins to call: `report` is called before this returns. */
  constructor(options: MasterCallsOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#heardAt = this.#clock.now();
    this.#running = this.#run();
  }

  /** The sequence of the newest report. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The sequence of the oldest report that may still be answered. */
  get oldestAsked(): number {
    return Math.min(this.#sequence, ...this.#asked);
  }

  /** Time since the newest answered report was sent. */
  get unheardMs(): number {
    return this.#clock.now() - this.#heardAt;
  }

  get leaseMs(): number {
    return this.#leaseMs;
  }

  /** True until a call was answered. */
  get isNew(): boolean {
    return this.#epoch === 0;
  }

  /** Called when there is news for the master. May be called at any time, and again. */
  raiseNews(): void {
    this.#news.abort();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.raiseNews();
    await this.#running;
  }

  async #run(): Promise<void> {
    let retryMs = retryMsMin;
    while (!this.#closing.signal.aborted) {
      this.#news = new AbortController();
      const outcome = await this.#call(this.#news.signal);
      if (outcome === "failed") {
        await this.#clock.sleep(retryMs * (0.5 + this.#options.random() / 2), this.#closing.signal);
        retryMs = Math.min(retryMs * 2, limits.heartbeatMs);
      } else {
        retryMs = retryMsMin;
      }
    }
  }

  /**
   * Sends one report. "news": there is newer news while the answer is still open; the answer is followed when it comes.
   */
  async #call(news: AbortSignal): Promise<"answered" | "news" | "failed"> {
    const sentAt = this.#clock.now();
    const report = this.#options.report(++this.#sequence);
    const answered = this.#ask(report).then(
      // A deposed leader answers a report with results at once: asking it again at once would be a storm (simulation,
      // seed 443).
      (orders) => (this.#answered(orders, report, sentAt) ? ("answered" as const) : ("failed" as const)),
      (error) => {
        if (!this.#closing.signal.aborted) this.#options.failed(error);
        return "failed" as const;
      },
    );
    const newer = new Promise<"news">((resolve) => {
      if (news.aborted) resolve("news");
      else news.addEventListener("abort", () => resolve("news"), { once: true });
    });
    return await Promise.race([answered, newer]);
  }

  async #ask(report: WorkerReport): Promise<WorkerOrders> {
    const giveUp = new AbortController();
    const closing = () => giveUp.abort();
    this.#closing.signal.addEventListener("abort", closing, { once: true });
    const tooLong = this.#clock.sleep(this.#leaseMs / 2, giveUp.signal);
    this.#asked.add(report.sequence);
    try {
      failpoint("worker.beforeReport");
      const call = this.#options.master.heartbeat(report, giveUp.signal);
      call.catch(() => {}); // the call may fail after it was given up
      const orders = await Promise.race([call, tooLong]);
      if (orders === undefined) throw new MillraceError("unreachable", "the master does not answer");
      return orders;
    } finally {
      this.#closing.signal.removeEventListener("abort", closing);
      giveUp.abort();
      this.#asked.delete(report.sequence);
    }
  }

  #answered(orders: WorkerOrders, report: WorkerReport, sentAt: Instant): boolean {
    if (this.#closing.signal.aborted) return true;
    if (orders.epoch < this.#epoch) return false; // from a former leader; the present one repeats what counts
    this.#epoch = orders.epoch;
    this.#leaseMs = orders.leaseMs;
    this.#heardAt = Math.max(this.#heardAt, sentAt);
    this.#options.answered(orders, report, this.#clock.now() - sentAt <= this.#leaseMs);
    return true;
  }
}
