// The job of a local run, as whoever submitted it sees and cancels it.
import { assert } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { PlannedFile } from "../../input/plan.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Master } from "../../master/master.ts";
import type { JobHandle } from "../engine.ts";

export interface HandleParts {
  readonly master: Master;
  readonly job: JobId;
  readonly spec: JobSpec;
  /** The files that maps have been given, by their index in the plan. */
  readonly files: ReadonlyMap<number, PlannedFile>;
  /** Aborted when the run is closed. */
  readonly closed: AbortSignal;
  /** Ends publishing, for this reason. */
  readonly leave: (reason: MillraceError) => void;
  /** Stores the state, if that can be had: false where the run can't be resumed. */
  readonly keep: () => Promise<boolean>;
}

export function handleOf(parts: HandleParts): JobHandle {
  const { master, job, spec } = parts;
  const viewNow = () => {
    const found = master.view().jobs.find((view) => view.job === job);
    assert(found !== undefined, "a master shows the job that it was given");
    return found;
  };
  let isKept = false;
  const ended = (async () => {
    let last = viewNow();
    for await (const view of master.watch(job)) last = view;
    if (last.state === "failed") isKept = await parts.keep();
    return last;
  })();
  ended.catch(() => {}); // callers that await it get the error; `close` ignores it
  return {
    job,
    spec,
    view: viewNow,
    watch: (signal) => master.watch(job, signal),
    ended,
    get isKept() {
      return isKept;
    },
    cancel: async () => {
      const outcome = await master.cancel(job);
      // The output is decided, so it will be published unless the storage does not answer.
      if (outcome === "too-late")
        void systemClock
          .sleep(limits.publishGraceMs, parts.closed)
          .then(() => parts.keep())
          .then((canResume) => parts.leave(leftUnpublished(canResume)));
      return outcome;
    },
    file: (index) => parts.files.get(index),
  };
}

function leftUnpublished(canResume: boolean): MillraceError {
  const next = canResume ? "with --resume to publish it" : "again to begin again";
  return new MillraceError(
    "cancelled",
    `the result was being published when the run was cancelled, and the storage did not answer: run the same command ${next}`,
    { retry: "elsewhere" },
  );
}
