// Opens the slots of a worker node, in its work directory. What a slot leaves there is removed with it.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import type { OnLate } from "../agent/options.ts";
import type { JobLogs } from "../disk/job-logs.ts";
import type { WorkDirectory } from "../disk/work-directory.ts";
import type { Budget } from "../slots/budget.ts";
import { slotProgram } from "../slots/path.ts";
import { Slot } from "../slots/slot.ts";

/** What the slots of a node have in common. */
export interface SlotParts {
  readonly work: Pick<WorkDirectory, "slots" | "pages">;
  /** Path of the program. Default: `dist/slot.cjs`. */
  readonly program: string | undefined;
  readonly budget: Budget;
  readonly logs: JobLogs;
  readonly clock: Clock;
  readonly log: Log;
}

export function openSlot(name: string, onLate: OnLate, parts: SlotParts): Slot {
  const { work, program = slotProgram, budget, logs, clock, log } = parts;
  const { slots, pages } = work;
  const slot = new Slot({
    name,
    program,
    budget,
    // Output outside of attempts belongs to no attempt, and is removed with the slot.
    directories: { slots, pages, logs: slots },
    clock,
    onLate,
    openLog: (attempt) => logs.open(attempt),
  });
  void slot.ended.then(() => {
    for (const path of [join(slots, name), join(slots, `${name}.log`), join(pages, `${name}.page`)]) {
      try {
        rmSync(path, { recursive: true, force: true, maxRetries: 3 });
      } catch (error) {
        // On a disk that turned read-only, the files of an ended slot are in no one's way.
        log.warn({ path, error: String(error) }, "what a slot left can't be removed");
      }
    }
  });
  return slot;
}
