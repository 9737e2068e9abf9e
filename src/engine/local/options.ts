// The options of an engine of this process, and its interface.
import type { ChildProcess } from "node:child_process";
import type { AttemptId } from "../../base/ids.ts";
import type { Combining } from "../../kernel/kernel.ts";
import type { SchedulerOptions } from "../../schedule/step.ts";
import type { Budget } from "../../worker/slots/budget.ts";
import type { JobEngine } from "../engine.ts";
import type { Loading } from "../loading.ts";

/** `signal` ends everything before the submission; from then on the job has to be cancelled. */
export interface LocalOptions extends Loading {
  /** Directory to publish. Default: a private one, which `close` removes. */
  readonly output?: string | undefined;
  /** Number of slots. Default: one per core. */
  readonly slots?: number | undefined;
  /** Bytes for all slots and the memory tier together; default: a quarter of the machine's. */
  readonly memoryBytes?: number | undefined;
  /** Environment variables of the job's code, beside those that every slot has. Default: none. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** How many slots may be killed while the job is described. Default `limits.attemptsMax`. */
  readonly attempts?: number | undefined;
  /**
   * A separate folder for dead letters, absolute or a URL (engine/dead-letters.ts). Default: they go into the output.
   */
  readonly deadLetters?: string | undefined;
  readonly overwrite?: boolean | undefined;
  readonly resume?: boolean | undefined;
  /** Goes on like `resume`, and begins where there is nothing to go on with. */
  readonly resumeOrBegin?: boolean | undefined;
  /** Folder for state and runs. Default: beside the output. */
  readonly workDir?: string | undefined;
  /** Ends every wait for a storage before the job is submitted. From then on, the job has to be cancelled. */
  readonly signal?: AbortSignal | undefined;
  /** A slot's process that was started early (first-slot.ts). */
  readonly firstSlot?: ChildProcess | undefined;
  /** Settings of `millrace test` that must not change the result. */
  readonly experiment?: Experiment | undefined;
  /** Called with a sentence about something odd that is no reason to stop. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Called with everything that attempts print to standard output and error, as it comes. */
  readonly onOutput?: (attempt: AttemptId | undefined, bytes: Buffer) => void;
}

export interface Experiment {
  /** False: each attempt gets a process of its own. Default: slots are reused. */
  readonly reuseSlots?: false;
  readonly order?: SchedulerOptions["order"];
  readonly combining?: Combining;
  /** True: each map task is interrupted once behind a checkpoint, and goes on in another process. Default: none is. */
  readonly interrupting?: true;
  /** The value of `ctx.startedAt` (ISO 8601), so that runs that are compared agree on it. Default: now. */
  readonly startedAt?: string;
}

/** An engine of this process. `stop` cancels a job that still runs, and ends slots and master. */
export interface LocalEngine extends JobEngine {
  readonly budget: Budget;
  /** The work directory, which holds the logs of attempts. */
  readonly directory: string;
  /** Does what `close` does for a stopped engine, synchronously, for a process that is about to exit. */
  removeNow(): void;
}
