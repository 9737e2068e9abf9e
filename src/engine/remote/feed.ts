// Distributes a job's views to all watchers of this process, from one watch of the master, which goes on by itself
// after the master was away.
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import type { RemoteMaster } from "../../protocol/services.ts";
import { hasEnded, type JobView } from "../../protocol/view.ts";

export interface FeedOptions {
  readonly master: Pick<RemoteMaster, "watch">;
  readonly job: JobId;
  readonly first: JobView;
  /** The command that a user can type when the master stays away, for the error. */
  readonly later: string;
}

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
    this.#ended = this.#follow();
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

  /** The view now and after each change, until the job has ended. A slow watcher misses views in between. */
  async *watch(signal?: AbortSignal): AsyncIterable<JobView> {
    let shown: JobView | undefined;
    for (;;) {
      if (this.#latest !== shown) {
        shown = this.#latest;
        yield shown;
        if (hasEnded(shown.state)) return;
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

  async #follow(): Promise<JobView> {
    const { master, job, later } = this.#options;
    try {
      if (!hasEnded(this.#latest.state)) {
        for await (const view of master.watch(job, this.#stop.signal)) {
          this.#latest = view;
          this.#announce();
        }
      }
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== "unreachable" || this.#stop.signal.aborted) throw error;
      throw new MillraceError(
        "unreachable",
        `${error.message}. The job is not lost: when the master is back, look at it with  ${later}`,
        { cause: error },
      );
    }
    if (hasEnded(this.#latest.state)) return this.#latest;
    throw new MillraceError("cancelled", "the job is not watched any more");
  }

  #announce(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}
