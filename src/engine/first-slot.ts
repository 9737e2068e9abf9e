// The process of a run's first slot, started before the rest of the engine is loaded: on a machine with two cores both then load
// side by side, which is a fifth of the time of a small job.
import type { ChildProcess } from "node:child_process";
import { type BudgetOptions, planBudget } from "../worker/slots/budget.ts";
import { slotProgram } from "../worker/slots/path.ts";
import { startSlotProcess } from "../worker/slots/process.ts";

/** What the slot of a job that is only described here gets, before the job goes to a cluster. */
export const describing: BudgetOptions = { slots: 1, memoryBytes: undefined };

/** Undefined where there is none, or it has ended. */
export function takeStarted(child: ChildProcess | undefined): ChildProcess | undefined {
  return child?.exitCode === null && child.signalCode === null ? child : undefined;
}

/** Undefined where it can't be started: whoever opens the engine says what is wrong. It ends with this process. */
export function startFirstSlot(options: BudgetOptions): ChildProcess | undefined {
  let child: ChildProcess;
  try {
    child = startSlotProcess(slotProgram, planBudget(options).heapMiB);
  } catch {
    return undefined;
  }
  child.on("error", () => {});
  return child.pid === undefined ? undefined : child;
}
