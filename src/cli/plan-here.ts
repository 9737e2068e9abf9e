// Runs the plan task in this process, as a slot would run it.

import { assert } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { systemClock } from "../base/system/clock.ts";
import { buildSpec, type SubmitOptions } from "../engine/spec.ts";
import type { Plan } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import { createKernel } from "../kernel/create-kernel.ts";
import type { FailureText } from "../protocol/messages.ts";
import { createStorage } from "../storage/any.ts";
import { stoppable } from "../storage/storage.ts";
import { isA, TaskFailure } from "../task/failure.ts";
import { runAttempt } from "../task/run-attempt.ts";
import type { LateCalls } from "../task/user/late-calls.ts";
import { createTier } from "../tier/tier.ts";
import type { JobHere } from "./here.ts";
import { withUserCode } from "./user-code.ts";

export interface PlanHereOptions {
  readonly here: JobHere;
  /** Path of the job file. */
  readonly module: string;
  readonly submit: SubmitOptions;
  readonly environment: Readonly<Record<string, string>>;
  readonly destination: string;
  /** A private folder for temporary files. */
  readonly folder: string;
  /** Ends the task, also while it waits for a storage. */
  readonly signal?: AbortSignal | undefined;
}

/** Throws what `buildSpec` throws, and `bad-input` when the plan task fails. */
export async function planHere(options: PlanHereOptions): Promise<{ readonly plan: Plan; readonly spec: JobSpec }> {
  const { here, module, submit, environment, destination, folder } = options;
  const { signal = new AbortController().signal } = options;
  const storage = stoppable(createStorage(), signal);
  const spec = await buildSpec(submit, {
    module,
    description: here.description,
    bundle: here.digest,
    destination,
    replaces: undefined,
    environment,
    startedAt: systemClock.date().toISOString(),
    storage,
    validate: here.validate,
  });
  const files = new Map(spec.files.map(({ name, path }) => [name, path]));
  const plan = (late: LateCalls) =>
    runAttempt(
      {
        attempt: { job: "plan", phase: "plan", index: 0, epoch: 0, attempt: 0 },
        spec,
        careful: false,
        work: { phase: "plan" },
      },
      {
        job: here.job,
        storage,
        kernel: createKernel({ arenaBytes: limits.arenaBytesMin }, "reference"),
        runs: createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: folder }),
        status: { write: () => {} },
        clock: systemClock,
        signal,
        file: (name) => files.get(name) ?? "",
        log: () => {},
        late,
      },
      undefined,
    );
  const result = await withUserCode(plan).catch((thrown: unknown) => {
    if (isA(thrown, TaskFailure)) throw planError(thrown.reason.error);
    throw thrown;
  });
  if (result.ok) {
    assert(result.plan !== undefined, "a plan task succeeded without a plan");
    return { plan: result.plan, spec };
  }
  if (signal.aborted) throw new MillraceError("cancelled", "cancelled while the input was looked at");
  throw planError(result.reason.error);
}

function planError({ code, message, where, stack }: FailureText): MillraceError {
  const place = where === undefined ? "" : ` (at ${where})`;
  if (code !== "user-error") return new MillraceError("bad-input", `${message}${place}`);
  return new MillraceError(code, `${message}${place}${stack === undefined ? "" : `\n${stack.replace(/^/gm, "  ")}`}`);
}
