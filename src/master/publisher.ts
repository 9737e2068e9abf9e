// The master's work on storage. It goes on after the step that decided it, and only the end of its job waits for it.

import { MillraceError, systemCode } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import { failpoint } from "../base/system/failpoint.ts";
import type { FailureText } from "../protocol/messages.ts";
import type { SchedulerCommand, SchedulerEvent, WithdrawnDecision } from "../schedule/step.ts";
import { manifestName } from "../storage/manifest.ts";
import type { CommitDecision, LostFile, Storage } from "../storage/storage.ts";
import type { MasterObserver } from "./master.ts";

export interface PublisherOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  /** How often publishing is tried where trying again may help, with growing pauses. Default 1. */
  readonly publishTriesMax?: number;
  readonly observer?: MasterObserver;
  /** Aborted when the master has stepped down: a successor repeats the publish from the decision. */
  readonly stopped: AbortSignal;
  /** Ends a publish that is under way, which then has failed: its job can be resumed. */
  readonly publishing?: AbortSignal | undefined;
  readonly happened: (event: SchedulerEvent) => Promise<void>;
  /** Writes the file beside a job's output that its workers look for. */
  readonly writeProbe?: (destination: string, job: JobId) => Promise<void>;
}

type LookCommand = Extract<SchedulerCommand, { readonly kind: "look-at-files" }>;

/** Pause before the second try; doubled each time. */
const publishPauseMs = 1_000;
const publishPauseMsMax = 30_000;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #underWay = new Set<Promise<void>>();
  /** Jobs whose staged files are being removed, by destination, and whether that was requested again meanwhile. */
  readonly #discarding = new Map<string, boolean>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Finds out whether every file that a job is to publish is there. A successor asks again. */
  lookAt({ job, folders, look }: LookCommand): void {
    const { storage, stopped, happened, observer, writeProbe } = this.#options;
    const what = `looking at the staged files of job ${job}`;
    this.#inBackground(what, async () => {
      try {
        const lost: LostFile[] = [];
        for (const { destination, files } of folders) {
          const here = await this.#patiently(what, (signal) => storage.findLost(destination, job, files, signal));
          lost.push(...here);
          // The file that workers look for before they start may be gone, too.
          if (here.length > 0) await writeProbe?.(destination, job).catch((error) => observer?.failed?.(what, error));
        }
        await happened({ kind: "files-looked-at", job, look, lost });
      } catch (error) {
        if (stopped.aborted) return;
        await happened({ kind: "look-failed", job, look, error: errorText(error) });
      }
    });
  }

  publish(decision: CommitDecision): void {
    const { storage, stopped, happened } = this.#options;
    const { job } = decision;
    this.#inBackground(`publishing job ${job}`, async () => {
      try {
        await this.#patiently(`publishing job ${job}`, async (signal) => {
          failpoint("master.beforePublish");
          const { deadLetters } = decision;
          // Dead letters come first, so that they are there once the output is.
          if (deadLetters !== undefined) await storage.publish({ job, ...deadLetters }, signal);
          await storage.publish(decision, signal);
          failpoint("master.afterPublish");
        });
        await happened({ kind: "output-published", job });
      } catch (error) {
        if (stopped.aborted) return; // a successor repeats the publish from the decision
        await happened({ kind: "output-failed", job, error: errorText(error) });
      }
    });
  }

  /**
   * Withdraws a decision whose files are gone. The call that resumes the job waits for it, and gets its error.
   * Undefined: the decision can be published.
   */
  async withdraw(decision: CommitDecision): Promise<WithdrawnDecision | undefined> {
    const { storage } = this.#options;
    const { job, deadLetters } = decision;
    const parts = [decision, ...(deadLetters === undefined ? [] : [{ job, ...deadLetters }])];
    return await this.#patiently(`looking at what job ${job} was to publish`, async (signal) => {
      // A folder of dead letters that is visible stays as it is, and belongs to this decision only.
      if (deadLetters !== undefined && (await storage.stat(`${deadLetters.destination}/${manifestName}`, signal))) {
        return undefined;
      }
      const tokens = new Map<string, string | undefined>();
      let isWhole = true;
      for (const part of parts) {
        const withdrawal = await storage.withdraw(part, signal);
        if (withdrawal.kind === "withdrawn") isWhole = false;
        for (const [index, { token }] of part.files.entries())
          tokens.set(token, withdrawal.kind === "whole" ? token : withdrawal.files[index]?.token);
      }
      return isWhole ? undefined : { decision, tokens };
    });
  }

  /** Removes what a job has staged. Calls that come while that is under way cause one more removal after it. */
  discard(destination: string, job: JobId): void {
    const key = JSON.stringify([destination, job]);
    const isUnderWay = this.#discarding.has(key);
    this.#discarding.set(key, isUnderWay);
    if (isUnderWay) return;
    this.#inBackground(`removing what job ${job} has staged`, async () => {
      try {
        do {
          this.#discarding.set(key, false);
          await this.#options.storage.discard(destination, job);
        } while (this.#discarding.get(key));
      } finally {
        this.#discarding.delete(key);
      }
    });
  }

  /** Resolves when the work that is under way has ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** Tries again where that may help: a storage that is out of reach for a moment must not undo the work of hours. */
  async #patiently<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, stopped, publishing, observer, publishTriesMax = 1 } = this.#options;
    const signal = publishing === undefined ? stopped : AbortSignal.any([stopped, publishing]);
    for (let tries = 1; ; tries++) {
      try {
        return await work(signal);
      } catch (error) {
        const mayHelp = error instanceof MillraceError && error.retry !== "never";
        if (!mayHelp || tries >= publishTriesMax || signal.aborted) throw error;
        observer?.failed?.(`${what}, try ${tries} of ${publishTriesMax}`, error);
        await clock.sleep(Math.min(publishPauseMs * 2 ** (tries - 1), publishPauseMsMax), signal);
      }
    }
  }

  /** Does work that nothing waits for. What it throws goes to the observer. */
  #inBackground(what: string, work: () => Promise<void>): void {
    const promise = work()
      .catch((error) => {
        if (!this.#options.stopped.aborted) this.#options.observer?.failed?.(what, error);
      })
      .finally(() => this.#underWay.delete(promise));
    this.#underWay.add(promise);
  }
}

/** An error in words, for a record that lasts longer than this process. */
function errorText(error: unknown): FailureText {
  const code = error instanceof MillraceError ? error.code : (systemCode(error) ?? "io-error");
  const message = error instanceof Error ? error.message : String(error);
  return { code, message, stack: undefined, where: undefined, excerpt: undefined };
}
