// A user's job in a simulated cluster, as what runs it sees it.
import type { AttemptId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { AttemptResult } from "../../protocol/messages.ts";
import type { Chance } from "../chance.ts";
import type { Scene } from "../scene.ts";
import type { SimOptions } from "./options.ts";
import type { SimStorage } from "./storage.ts";

/** A job and its input, the same for all seeds. */
export interface SimJob {
  readonly spec: JobSpec;
  readonly digest: string;
  readonly environment: Readonly<Record<string, string>>;
  /** By path. */
  readonly inputs: ReadonlyMap<string, Uint8Array>;
  /** A new instance of the job's module, as each process has one of its own. */
  readonly load: () => Promise<JobDefinition>;
  /** Runs what runs the job's code, with these for its clock (milliseconds since `startedAt`) and its chance. */
  readonly within: <T>(sources: UserSources, work: () => Promise<T>) => Promise<T>;
}

export interface UserSources {
  readonly now: () => number;
  readonly random: () => number;
}

export interface JobScene extends Scene {
  readonly options: SimOptions;
  readonly job: SimJob;
  readonly clock: Clock;
  readonly kernel: Kernel;
  readonly storage: SimStorage;
  /**
   * What the job's code gets for `Math.random`: other numbers in each attempt, the same ones in each run of the
   * seed.
   */
  readonly userChance: Chance;
  /** The job's code has run for an attempt, to that end. */
  executed(attempt: AttemptId, result: AttemptResult): void;
  /** A reduce attempt has read the output of a map attempt. */
  consumed(reduce: AttemptId, map: AttemptId, digest: bigint): void;
}
