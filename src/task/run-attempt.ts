import { unreachable } from "../base/assert.ts";
import type { Assignment, AttemptDone, AttemptResult, Failure } from "../protocol/messages.ts";
import { SegmentLost } from "../shuffle/segment-lost.ts";
import type { ReduceInputs, TaskEnvironment } from "./environment.ts";
import { engineFailure, isA, lateFailure, lostFailure } from "./failure.ts";
import { runMapTask } from "./map/task.ts";
import { runPlanTask } from "./plan/task.ts";
import { runReduceTask } from "./reduce/task.ts";
import { LateCalls } from "./user/late-calls.ts";

/**
 * Runs one attempt: the task runtime's only door. Never rejects; whatever happens becomes a failure that says whose
 * fault it is. Uses the environment's kernel until it resolves, so one attempt runs at a time. `inputs` is given only
 * for reduce attempts.
 */
export async function runAttempt(
  assignment: Assignment,
  env: TaskEnvironment,
  inputs: ReduceInputs | undefined,
): Promise<AttemptResult> {
  const late = env.late ?? new LateCalls();
  try {
    const done = await runTask(assignment, { ...env, late }, inputs);
    late.check();
    return done;
  } catch (thrown) {
    late.void();
    return { attempt: assignment.attempt, ok: false, reason: reasonOf(late.first, thrown) };
  }
}

/** A late call is what the job's author has to know about, whatever else it has led to. */
function reasonOf(late: LateCalls["first"], thrown: unknown): Failure {
  if (late !== undefined) return lateFailure(late).reason;
  return (isA(thrown, SegmentLost) ? lostFailure(thrown) : engineFailure(thrown)).reason;
}

function runTask(assignment: Assignment, env: TaskEnvironment, inputs: ReduceInputs | undefined): Promise<AttemptDone> {
  const { work } = assignment;
  switch (work.phase) {
    case "plan":
      return runPlanTask(assignment, env);
    case "map":
      return runMapTask(assignment, work, env);
    case "reduce":
      return runReduceTask(assignment, work, env, inputs);
    default:
      return unreachable(work);
  }
}
