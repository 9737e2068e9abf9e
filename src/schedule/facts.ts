// What happened in a step, as plain data: for the event log of a job, metrics and logs. Nothing is decided by facts, and they
// are stored nowhere: a master that dies before it has written them down takes them along.
import type { AttemptId, JobId, WorkerId } from "../base/ids.ts";
import type { Failure, FailureText } from "../protocol/messages.ts";
import type { AttemptStats } from "../protocol/stats.ts";
import type { JobState, Outcome } from "../protocol/view.ts";

export type Fact = JobFact | AttemptFact | MapOutputFact | WorkerFact;

export type JobFact =
  | { readonly kind: "job-submitted"; readonly job: JobId; readonly name: string }
  /** The plan is stored: so many tasks there are. */
  | {
      readonly kind: "job-planned";
      readonly job: JobId;
      readonly maps: number;
      readonly reduces: number;
      readonly inputBytes: number;
    }
  /** A failed job goes on where it stopped. */
  | { readonly kind: "job-resumed"; readonly job: JobId }
  /** What it had decided to publish is undone, as files of it are gone: so many are left. */
  | { readonly kind: "decision-withdrawn"; readonly job: JobId; readonly files: number; readonly left: number }
  /** This master took the job over from the one before it, in that state. */
  | { readonly kind: "job-recovered"; readonly job: JobId; readonly state: JobState }
  /** Every task has a winner: so many workers are asked whether the job's code still does something there. */
  | { readonly kind: "job-closing"; readonly job: JobId; readonly workers: number }
  /** From here on the job can only succeed, or fail to publish. */
  | { readonly kind: "job-decided"; readonly job: JobId; readonly files: number; readonly bytes: number }
  | { readonly kind: "job-published"; readonly job: JobId }
  | {
      readonly kind: "job-ended";
      readonly job: JobId;
      readonly outcome: Outcome;
      readonly reason: FailureText | undefined;
    }
  /** What was kept of a job that is over is removed: it can't be resumed any more, or is no longer shown at all. */
  | { readonly kind: "job-forgotten"; readonly job: JobId; readonly isShown: boolean };

export type AttemptFact =
  | {
      readonly kind: "attempt-started";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      /** A second attempt of a slow task. */
      readonly isBackup: boolean;
      readonly careful: boolean;
    }
  /** An earlier master started it. */
  | { readonly kind: "attempt-adopted"; readonly attempt: AttemptId; readonly worker: WorkerId }
  | {
      readonly kind: "attempt-won";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      readonly stats: AttemptStats;
    }
  | {
      readonly kind: "attempt-failed";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      readonly failure: Failure["kind"] | "timed-out" | "vanished" | "nondeterministic";
      readonly error: FailureText;
    }
  /**
   * The job's code did something after its call had returned. The job fails by it; `isTooLate`: its output was decided by then, and
   * may lack what that call made.
   */
  | {
      readonly kind: "late-call";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      readonly error: FailureText;
      readonly isTooLate: boolean;
    }
  /** It can't win any more: somebody else has, its job is over, its inputs have changed, its worker drains. */
  | { readonly kind: "attempt-revoked"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string }
  /** Nobody will hear of it again: its worker is silent, or was started anew. */
  | { readonly kind: "attempt-lost"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string };

/** `attempt` is the one that wrote the run. */
export type MapOutputFact =
  | { readonly kind: "map-output-lost"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string }
  /** A file that it wrote for the output is gone, before it was published. */
  | { readonly kind: "output-lost"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string }
  | { readonly kind: "map-output-restored"; readonly attempt: AttemptId; readonly worker: WorkerId }
  /** A reducer could not reach the holder: the first such complaint moves the reducer, enough of them lose the run. */
  | {
      readonly kind: "holder-unreachable";
      readonly attempt: AttemptId;
      readonly holder: WorkerId;
      readonly worker: WorkerId;
    }
  /** A map that was run again emitted something else than before. */
  | { readonly kind: "digest-changed"; readonly attempt: AttemptId; readonly worker: WorkerId }
  /** So many reduces that were done are to be done again. */
  | {
      readonly kind: "reduces-rolled-back";
      readonly job: JobId;
      readonly reduces: number;
      readonly mapVersion: number;
    };

export type WorkerFact =
  | {
      readonly kind: "worker-joined" | "worker-reborn" | "worker-back";
      readonly worker: WorkerId;
      readonly incarnation: number;
      readonly address: string;
      readonly slots: number;
    }
  | {
      readonly kind:
        | "worker-silent"
        | "worker-forgotten"
        | "worker-draining"
        /** Too many failures in a row. */
        | "worker-excluded"
        /** It succeeded again, or was started anew; its quarantine is over. */
        | "worker-readmitted";
      readonly worker: WorkerId;
    }
  /** It came and went too often: it gets no work for so long. */
  | { readonly kind: "worker-quarantined"; readonly worker: WorkerId; readonly ms: number };

/** The job whose history a fact belongs to; undefined for those of workers. */
export function jobOf(fact: Fact): JobId | undefined {
  if ("job" in fact) return fact.job;
  return "attempt" in fact ? fact.attempt.job : undefined;
}
