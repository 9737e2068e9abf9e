// `onProgress` of `run()`: tells a caller's function how far the job is. What that function does wrong is the caller's
// to know, and no reason to lose a run.
import { systemClock } from "../../base/system/clock.ts";
import type { RunProgress } from "../../job/progress.ts";
import { describeThrown } from "../../job/thrown.ts";
import { hasEnded, type JobView } from "../../protocol/view.ts";
import type { JobHandle } from "../engine.ts";
import { Pace } from "../pace.ts";

/** The shortest time between two calls within one state of the job. */
const tellEveryMs = 250;
/** While nothing happens, the time that passes is told this often. */
const idleMs = 1_000;

export interface Told {
  readonly handle: Pick<JobHandle, "watch">;
  readonly call: (progress: RunProgress) => unknown;
  readonly startedMs: number;
  readonly warn: (warning: string) => void;
}

/**
 * Resolves when the job has ended and the last call has returned. A promise that a call returned is not waited for, as
 * it may never settle. Never rejects.
 */
export async function tellProgress({ handle, call, startedMs, warn }: Told): Promise<void> {
  const pace = new Pace(startedMs);
  let latest: JobView | undefined;
  let told: { readonly state: JobView["state"]; readonly ms: number } | undefined;
  let pending: Promise<unknown> | undefined;
  let hasFailed = false;
  const failed = (thrown: unknown) => {
    if (!hasFailed) warn(`onProgress is not called any more, because it failed: ${describeThrown(thrown).message}`);
    hasFailed = true;
  };
  const tell = (view: JobView) => {
    const ms = systemClock.now();
    const progress = pace.update(view, ms);
    if (hasFailed) return;
    // The last call comes whatever the others still do.
    if (pending !== undefined && !hasEnded(view.state)) return;
    if (told?.state === view.state && ms - told.ms < tellEveryMs) return;
    told = { state: view.state, ms };
    try {
      const returned = call(progress);
      // The function may be written in another realm, or return anything at all.
      if (typeof (returned as PromiseLike<unknown> | undefined)?.then !== "function") return;
      const waits = Promise.resolve(returned as PromiseLike<unknown>)
        .catch(failed)
        .finally(() => {
          if (pending === waits) pending = undefined;
        });
      pending = waits;
    } catch (thrown) {
      failed(thrown);
    }
  };
  const timer = setInterval(() => {
    if (latest !== undefined && !hasEnded(latest.state)) tell(latest);
  }, idleMs);
  try {
    for await (const view of handle.watch()) {
      latest = view;
      tell(view);
    }
  } catch {
    // `ended` rejects with the same, for whoever waits for the run.
  } finally {
    clearInterval(timer);
  }
}
