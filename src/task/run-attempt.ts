import { unreachable } from "../base/assert.ts";
import type { Assignment, AttemptDone, AttemptResult } from "../rpc/messages.ts";
import { SegmentLost } from "../shuffle/segment-lost.ts";
import type { ReduceInputs, TaskEnvironment } from "./environment.ts";
import { engineFailure, isA, lostFailure } from "./failure.ts";
import { runMapTask } from "./map-task.ts";
import { runPlanTask } from "./plan-task.ts";
import { runReduceTask } from "./reduce-task.ts";

/**
 * Runs one attempt: the task runtime's only door. Never rejects; whatever happens becomes a failure that says whose fault it
 * is. Uses the environment's kernel until it resolves. `inputs` for reduce attempts only.
 */
export async function runAttempt(
  assignment: Assignment,
  env: TaskEnvironment,
  inputs: ReduceInputs | undefined,
): Promise<AttemptResult> {
  try {
    return await runTask(assignment, env, inputs);
  } catch (thrown) {
    const failure = isA(thrown, SegmentLost) ? lostFailure(thrown) : engineFailure(thrown);
    return { attempt: assignment.attempt, ok: false, reason: failure.reason };
  }
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
