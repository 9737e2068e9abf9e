// Runs one attempt: prepares what its job needs, takes a slot, loads the job's code there, and checks what the slot
// says of the attempt before anyone believes it.
import { assert } from "../../base/assert.ts";
import type { AttemptId, JobId } from "../../base/ids.ts";
import { failpoint } from "../../base/system/failpoint.ts";
import type { JobSpec } from "../../job/spec.ts";
import { badResult, whyNoResult } from "../../protocol/check-result.ts";
import type { Assignment, AttemptResult } from "../../protocol/messages.ts";
import type { ShuffleAccess } from "../../slot/messages.ts";
import type { RunStore } from "../disk/run-store.ts";
import type { SlotPool } from "../slots/pool.ts";
import type { Bundle } from "../slots/task-slot.ts";
import type { ReduceInputs } from "./known-jobs.ts";
import type { AgentOptions } from "./options.ts";
import { loadFailed } from "./results.ts";
import type { Running, RunningAttempts } from "./running.ts";

/** What an attempt is run with. */
export interface AttemptParts {
  readonly options: Pick<AgentOptions, "prepare" | "bundle" | "access">;
  readonly slots: SlotPool;
  readonly runs: RunStore;
  readonly running: RunningAttempts;
}

/** Runs an attempt in a slot. Rejects when it could not begin, or was revoked before it began. */
export async function runAttempt(
  assignment: Assignment,
  inputs: ReduceInputs,
  running: Running,
  parts: AttemptParts,
): Promise<AttemptResult> {
  const { attempt } = assignment;
  const { signal } = running.stop;
  const { options, slots, runs } = parts;
  failpoint("worker.beforeStart");
  const access = inputs.remote.length === 0 ? undefined : accessTo(attempt.job, options);
  const { bundle, spec } = await unlessStopped(prepared(assignment, options), signal);
  parts.running.waits(attempt, true);
  const entry = await slots.take(attempt.job, bundle, signal);
  parts.running.waits(attempt, false);
  running.slot = entry.slot;
  try {
    try {
      await slots.load(entry, bundle);
    } catch (error) {
      return loadFailed(assignment, error);
    }
    signal.throwIfAborted();
    const local = { ...assignment, spec };
    const result = await entry.slot.run({
      assignment: local,
      ...inputs,
      access,
      ...runs.begin(attempt, entry.name),
    });
    return checked(local, result, runs);
  } finally {
    running.slot = undefined;
    runs.clear(entry.name);
    slots.giveBack(entry);
  }
}

type LocalJob = { readonly bundle: Bundle; readonly spec: JobSpec };

/** The job's code and description as they are on this machine. */
async function prepared({ attempt, spec }: Assignment, options: AttemptParts["options"]): Promise<LocalJob> {
  const { prepare, bundle } = options;
  const local = prepare === undefined ? spec : await prepare(attempt.job, spec);
  return { bundle: await bundle(spec, attempt.job), spec: local };
}

function accessTo(job: JobId, { access }: AttemptParts["options"]): ShuffleAccess {
  assert(access !== undefined, "a worker among others can fetch their runs");
  return { key: access.shuffleKey(job), ca: access.ca, clockAheadMs: access.clockAheadMs?.() ?? 0 };
}

/**
 * Checks a result. A job's code can write to its slot's pipe: a made-up result becomes the job's failure, and goes no
 * further.
 */
function checked(assignment: Assignment, result: AttemptResult, runs: RunStore): AttemptResult {
  const why = whyNoResult(assignment, result) ?? whyNoRun(assignment.attempt, result, runs);
  return why === undefined ? result : badResult(assignment.attempt, "a slot", why);
}

function whyNoRun(attempt: AttemptId, result: AttemptResult, runs: RunStore): string | undefined {
  const run = result.ok ? result.run : undefined;
  return run === undefined || runs.isOf(attempt, run) ? undefined : "a run that is not where its attempt writes";
}

/** Waits for a promise, unless `signal` is aborted. The work itself goes on, for others that wait for it. */
async function unlessStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {}); // it may fail after the wait has ended
  let stopped = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stopped = () => reject(signal.reason);
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", stopped, { once: true });
  });
  return await Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", stopped));
}
