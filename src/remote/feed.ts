// A job's views, from a master that may go away for a while: what is watched is kept, and asked for again.
//
//   master.watch ──view──► latest ──► everybody who watches here
//        │ ends early, or nobody answers
//        └──► wait (doubled, with chance), ask again … until the master is unheard for `patienceMs`
//
// Nothing is lost by a call that was cut off: each one begins with the view as it is now.
import type { Clock } from "../base/clock.ts";
import { MillraceError } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import type { MasterApi } from "../rpc/services.ts";
import type { JobView } from "../schedule/step.ts";

export interface FeedOptions {
  readonly master: Pick<MasterApi, "watch">;
  readonly job: JobId;
  readonly first: JobView;
  readonly clock: Clock;
  /** 0 <= x < 1. */
  readonly random: () => number;
  /** Default `patienceMsDefault`. */
  readonly patienceMs?: number | undefined;
  /** Told once when the master does not answer any more, and once when it does again. */
  readonly onConnection?: ((state: "lost" | "back", why: string) => void) | undefined;
  /** What the user may do later: a command. Part of the error when patience has ended. */
  readonly later: string;
}

/** A master is started again by its service manager, or moved: that takes seconds, seldom minutes. */
export const patienceMsDefault = 120_000;
const waitMsMin = 250;
const waitMsMax = 5_000;

export class Feed {
  readonly #options: FeedOptions;
  readonly #stop = new AbortController();
  readonly #ended: Promise<JobView>;
  #latest: JobView;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void)[] = [];

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#latest = options.first;
    this.#ended = this.#pump();
    this.#ended.catch((error: unknown) => {
      this.#failure = { error };
      this.#announce();
    });
  }

  get latest(): JobView {
    return this.#latest;
  }

  /** The last view; rejects with `unreachable` when the master stays away, and with what it refuses. */
  get ended(): Promise<JobView> {
    return this.#ended;
  }

  /** The view now and after each change, until the job has ended; changes that come faster than they are taken are left out. */
  async *watch(signal?: AbortSignal): AsyncIterable<JobView> {
    let shown: JobView | undefined;
    for (;;) {
      if (this.#latest !== shown) {
        shown = this.#latest;
        yield shown;
        if (isEnded(shown)) return;
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (signal?.aborted) return;
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        signal?.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** `ended` rejects with `cancelled`, unless the job has ended. */
  close(): void {
    this.#stop.abort();
  }

  async #pump(): Promise<JobView> {
    const { clock } = this.#options;
    /** When the master was found to be away; undefined: it answers. */
    let lostAt: number | undefined;
    let waitMs = waitMsMin;
    while (!isEnded(this.#latest)) {
      const why = await this.#once(() => {
        if (lostAt !== undefined) this.#options.onConnection?.("back", "");
        lostAt = undefined;
        waitMs = waitMsMin;
      });
      if (isEnded(this.#latest)) break;
      if (this.#stop.signal.aborted) throw new MillraceError("cancelled", "the job is not watched any more");
      if (lostAt === undefined) {
        lostAt = clock.now();
        this.#options.onConnection?.("lost", why);
      }
      const patienceMs = this.#options.patienceMs ?? patienceMsDefault;
      if (clock.now() - lostAt >= patienceMs) throw this.#gaveUp(why, patienceMs);
      await clock.sleep(waitMs * (0.5 + this.#options.random() / 2), this.#stop.signal);
      waitMs = Math.min(waitMs * 2, waitMsMax);
    }
    return this.#latest;
  }

  /** Watches until the job has ended or the call has; returns why it did. */
  async #once(heard: () => void): Promise<string> {
    const { master, job } = this.#options;
    try {
      for await (const view of master.watch(job, this.#stop.signal)) {
        heard();
        this.#latest = view;
        this.#announce();
      }
      return "it ended the connection";
    } catch (error) {
      if (this.#stop.signal.aborted) return "";
      if (!isPassing(error)) throw error;
      return error.message;
    }
  }

  #gaveUp(why: string, patienceMs: number): MillraceError {
    return new MillraceError(
      "unreachable",
      `the master has not answered for ${Math.round(patienceMs / 1000)} s (${why}). The job is not lost: when the master is back, look at it with  ${this.#options.later}`,
    );
  }

  #announce(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

/** What may be over in a moment: the master is being started again, or another one takes its place. */
function isPassing(error: unknown): error is MillraceError {
  return error instanceof MillraceError && (error.code === "unreachable" || error.code === "not-leader");
}

export function isEnded({ state }: JobView): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
