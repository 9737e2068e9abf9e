// A slot as its users know it, whatever it is made of: what the agent asks of it, and the bundle that it loads.
import type { JobDescription } from "../../job/load/describe.ts";
import type { AttemptResult, FailureText } from "../../protocol/messages.ts";
import type { RunAttempt } from "../../slot/messages.ts";
import type { PageContent } from "../../slot/status-page.ts";
import type { KillReason } from "./death.ts";

/** A job's code, as a slot loads it. */
export interface Bundle {
  readonly path: string;
  /** SHA-256 in hexadecimal. */
  readonly digest: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Runs attempts of one job, one at a time. The pool owns it. A `Slot` (slot.ts) is a process; simulations and tests
 * have others.
 */
export interface TaskSlot {
  readonly pid: number | undefined;
  /** False once it has ended or is being ended: every call then fails. */
  readonly isAlive: boolean;
  /** The bundle that is loaded or being loaded; undefined: none yet. */
  readonly bundle: Bundle | undefined;
  /** Resolves when the process has ended, however it ended, with the reason. */
  readonly ended: Promise<FailureText>;
  /**
   * Imports the bundle, checked against its digest. Called once, first. Rejects with what the module threw; the slot is
   * useless then. Where the process has ended (`slot-died`), `retry` says why: "same": by a signal that the agent did
   * not send; "elsewhere": by the agent, or because it could not be started; "never": by the job's code.
   */
  load(bundle: Bundle): Promise<void>;
  describe(): Promise<JobDescription>;
  /**
   * Asks the job for the value of parameters (job/params/validate.ts), which calls its schema. Not while an attempt
   * runs.
   */
  validate(params: string): Promise<Uint8Array | undefined>;
  /**
   * Runs one attempt. Called again only when the one before has ended. Never rejects: the process's end is a result
   * too.
   */
  run(request: RunAttempt): Promise<AttemptResult>;
  /**
   * Resolves when everything that the job's code left going in this slot is over, or was waited for
   * (`limits.settleMs`), and every late call so far was passed to `onLate`. Never rejects: a slot that has ended has
   * settled. It also waits for the end of a running attempt. A slot whose thread is busy does not answer: the caller
   * sets a limit, and kills it. May be called again.
   */
  settle(): Promise<void>;
  /** Aborts the `signal` of the running attempt with the reason `why`. No effect when none runs. */
  stop(why: string): void;
  kill(reason: KillReason): void;
  /** The status page of the running attempt, or of the last one; undefined before there is any. */
  page(): PageContent | undefined;
}
