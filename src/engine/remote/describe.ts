// Asks a job for its description, in a slot on this machine: load errors show here, and the master never loads user
// code.
import type { ChildProcess } from "node:child_process";
import type { JobId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { createWorkDirectory, removeWorkDirectory } from "../../worker/disk/work-directory.ts";
import { planBudget } from "../../worker/slots/budget.ts";
import { slotProgram } from "../../worker/slots/path.ts";
import { SlotPool } from "../../worker/slots/pool.ts";
import { Slot } from "../../worker/slots/slot.ts";
import type { Bundle } from "../../worker/slots/task-slot.ts";
import { jobEnvironment, writeBundle } from "../bundle-file.ts";
import { describing, takeStarted } from "../first-slot.ts";
import { type Loading, whileLoading } from "../loading.ts";
import { removeAbandoned, workDirectories } from "../work-directories.ts";

export interface DescribedJob {
  readonly description: JobDescription;
  /** The bundle, in a private directory that exists until `close`. */
  readonly bundle: Bundle;
  /**
   * Asks the job's schema for the value of parameters, in the slot that described the job. Only for a job with a schema
   * (`keepsSlot`).
   */
  validate(params: string): Promise<Uint8Array | undefined>;
  /** The private directory. */
  readonly folder: string;
  close(): void;
}

export interface DescribeOptions extends Loading {
  readonly environment: Readonly<Record<string, string>> | undefined;
  /** How many slots may be killed meanwhile. Default `limits.attemptsMax`. */
  readonly attempts?: number | undefined;
  /** True: when the job has a schema, the slot stays until `close`, for `validate`. Default: the slot ends. */
  readonly keepsSlot?: boolean;
  /** True: the bundle goes to other machines. Default: it is for this one. */
  readonly isShipped?: boolean;
  /** The id that names the private directory, so that a later run removes what a killed one left. */
  readonly job: JobId;
  /** A slot's process that was started early; it is used, or ended. */
  readonly firstSlot?: ChildProcess | undefined;
  /** Called with a sentence about something odd that is no reason to stop. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Called with what the module prints while it is loaded. */
  readonly onOutput?: ((attempt: undefined, bytes: Buffer) => void) | undefined;
}

/** Throws what bundling and loading throw; then nothing is left behind. */
export async function describeInSlot(options: DescribeOptions): Promise<DescribedJob> {
  await removeAbandoned(undefined);
  const directories = workDirectories({ output: undefined, workDir: undefined }, options.job);
  const work = createWorkDirectory({ path: directories.work, id: options.job });
  const budget = planBudget(describing);
  let first = options.firstSlot;
  const slots = new SlotPool({
    clock: systemClock,
    slots: 1,
    rssBytesMax: budget.rssBytesMax,
    openSlot: (name) => {
      const started = takeStarted(first);
      first = undefined;
      return new Slot({
        name,
        program: slotProgram,
        process: started,
        budget,
        directories: work,
        clock: systemClock,
        onOutput: (_, bytes) => options.onOutput?.(undefined, bytes),
      });
    },
  });
  const attempts = options.attempts ?? limits.attemptsMax;
  const close = () => {
    void slots.close();
    removeWorkDirectory(work);
  };
  try {
    slots.prestart(1, undefined);
    const described = writeBundle({
      module: options.module,
      work,
      environment: jobEnvironment(options.environment),
      isShipped: options.isShipped,
      onWarning: options.onWarning,
    }).then(async (bundle) => ({
      bundle,
      description: await slots.describe(bundle, attempts),
    }));
    const { bundle, description } = await whileLoading(described, options);
    // The slot will not be asked anything more.
    if (options.keepsSlot !== true || description.params.kind === "table") await slots.close();
    const validate = (params: string) => slots.validate(bundle, params, attempts);
    return { description, bundle, folder: work.path, validate, close };
  } catch (error) {
    await slots.close();
    close();
    throw error;
  }
}
