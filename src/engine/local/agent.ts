// The agent of a local run: the one worker of its cluster, in the command's own process, with the run's work directory.
import type { ChildProcess } from "node:child_process";
import { systemClock } from "../../base/system/clock.ts";
import type { PlannedFile } from "../../input/plan.ts";
import type { Master } from "../../master/master.ts";
import { memoryTransport } from "../../wire/memory-transport.ts";
import { type Agent, startAgent } from "../../worker/agent/agent.ts";
import { FileRunStore } from "../../worker/disk/file-run-store.ts";
import { findOffered } from "../../worker/disk/offered.ts";
import type { WorkDirectory } from "../../worker/disk/work-directory.ts";
import type { Budget } from "../../worker/slots/budget.ts";
import { slotProgram } from "../../worker/slots/path.ts";
import { Slot } from "../../worker/slots/slot.ts";
import type { Bundle } from "../../worker/slots/task-slot.ts";
import type { LocalOptions } from "./options.ts";

export interface LocalAgentParts {
  readonly options: LocalOptions;
  readonly budget: Budget;
  readonly work: WorkDirectory;
  /** The master, once it has started. */
  readonly master: Promise<Master>;
  /** The process of the first slot, once; undefined when there is none. */
  readonly firstSlot: () => ChildProcess | undefined;
  readonly bundle: () => Bundle;
  /** Called with the files of each map that begins, by their index in the plan. */
  readonly mapped: (files: Iterable<readonly [index: number, file: PlannedFile]>) => void;
}

export function startLocalAgent(parts: LocalAgentParts): Agent {
  const { options, budget, work } = parts;
  return startAgent({
    worker: "local",
    incarnation: systemClock.date().getTime(),
    address: "",
    master: memoryTransport(parts.master),
    clock: systemClock,
    budget,
    runs: new FileRunStore({
      ...work.runs,
      checkpoints: work.checkpoints,
      slots: work.slots,
      tierBytes: budget.tierBytes,
      slotsMax: budget.slots,
    }),
    random: Math.random,
    reuseSlots: options.experiment?.reuseSlots,
    slotsAhead: budget.slots,
    offered: options.resume === true ? findOffered(work.runs) : [],
    openSlot: (name, onLate) =>
      new Slot({
        name,
        program: slotProgram,
        process: parts.firstSlot(),
        budget,
        directories: work,
        clock: systemClock,
        onLate,
        combining: options.experiment?.combining,
        interrupting: options.experiment?.interrupting,
        ...(options.onOutput === undefined ? {} : { onOutput: options.onOutput }),
      }),
    bundle: async () => parts.bundle(),
    onStart: ({ work: part }) => {
      if (part.phase === "map")
        parts.mapped(Object.entries(part.files).map(([index, file]) => [Number(index), file] as const));
    },
  });
}
