// What the master does to storage: it outlasts the turn that decided it, and nothing waits for it but the job's end.
import type { Clock } from "../base/clock.ts";
import { MillraceError, systemCode } from "../base/error.ts";
import { failpoint } from "../base/failpoint.ts";
import type { JobId } from "../base/ids.ts";
import type { FailureText } from "../rpc/messages.ts";
import type { SchedulerEvent } from "../schedule/step.ts";
import type { CommitDecision, Storage } from "../storage/storage.ts";
import type { MasterObserver } from "./master.ts";

export interface PublisherOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  /** How often publishing is tried where trying again may help, at growing distances. Default 1. */
  readonly publishTriesMax?: number;
  readonly observer?: MasterObserver;
  /** Aborted when the master has stepped down: a successor repeats the publish from the decision. */
  readonly stopped: AbortSignal;
  /** Ends a publish that is under way, which then has failed: the job can go on with it later. */
  readonly publishing?: AbortSignal | undefined;
  readonly happened: (event: SchedulerEvent) => Promise<void>;
}

/** Before publishing is tried for the second time; doubled each time. */
const publishPauseMs = 1_000;
const publishPauseMsMax = 30_000;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  publish(decision: CommitDecision): void {
    const { stopped, happened } = this.#options;
    const { job } = decision;
    this.#inBackground(`publishing job ${job}`, async () => {
      try {
        await this.#tryToPublish(decision);
        await happened({ kind: "output-published", job });
      } catch (error) {
        if (stopped.aborted) return; // a successor repeats the publish from the decision
        await happened({ kind: "output-failed", job, error: errorText(error) });
      }
    });
  }

  /** Removes what a job has staged. */
  discard(destination: string, job: JobId): void {
    this.#inBackground(`removing what job ${job} has staged`, () => this.#options.storage.discard(destination, job));
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** A storage that is out of reach for a moment doesn't undo the work of hours. */
  async #tryToPublish(decision: CommitDecision): Promise<void> {
    const { storage, clock, stopped, publishing, observer, publishTriesMax = 1 } = this.#options;
    const signal = publishing === undefined ? stopped : AbortSignal.any([stopped, publishing]);
    for (let tries = 1; ; tries++) {
      failpoint("master.beforePublish");
      try {
        const { job, deadLetters } = decision;
        // First, so that they are there once the output is.
        if (deadLetters !== undefined) await storage.publish({ job, ...deadLetters }, signal);
        await storage.publish(decision, signal);
        failpoint("master.afterPublish");
        return;
      } catch (error) {
        const mayHelp = error instanceof MillraceError && error.retry !== "never";
        if (!mayHelp || tries >= publishTriesMax || signal.aborted) throw error;
        observer?.failed?.(`publishing job ${decision.job}, try ${tries} of ${publishTriesMax}`, error);
        await clock.sleep(Math.min(publishPauseMs * 2 ** (tries - 1), publishPauseMsMax), signal);
      }
    }
  }

  /** What it throws only concerns itself: nothing waits for it. */
  #inBackground(what: string, work: () => Promise<void>): void {
    const promise = work()
      .catch((error) => {
        if (!this.#options.stopped.aborted) this.#options.observer?.failed?.(what, error);
      })
      .finally(() => this.#underWay.delete(promise));
    this.#underWay.add(promise);
  }
}

/** An error in words, for a record that outlives this process. */
function errorText(error: unknown): FailureText {
  const code = error instanceof MillraceError ? error.code : (systemCode(error) ?? "io-error");
  const message = error instanceof Error ? error.message : String(error);
  return { code, message, stack: undefined, where: undefined, excerpt: undefined };
}
