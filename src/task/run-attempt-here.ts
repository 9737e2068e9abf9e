import type { Assignment, AttemptResult } from "../protocol/messages.ts";
import type { ReduceInputs, TaskEnvironment } from "./environment.ts";
import { lateFailure } from "./failure.ts";
import { runAttempt } from "./run-attempt.ts";
import { LateCalls } from "./user/late-calls.ts";
import { LeftGoing } from "./user/left-going.ts";

/**
 * Does what `runAttempt` does in a process that is not a slot: it waits for what the job's code has left going, and an
 * error of that is the attempt's error.
 */
export async function runAttemptHere(
  assignment: Assignment,
  env: TaskEnvironment,
  inputs: ReduceInputs | undefined,
): Promise<AttemptResult> {
  const late = new LateCalls();
  const left = new LeftGoing();
  try {
    const result = await runAttempt(assignment, { ...env, late }, inputs);
    if (!result.ok) return result;
    await left.over(late);
    if (late.first === undefined) return result;
    return { attempt: assignment.attempt, ok: false, reason: lateFailure(late.first).reason };
  } finally {
    left.end();
  }
}
