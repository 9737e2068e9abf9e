// What happened in a step, as plain data, for the event log of a job, metrics and logs. Nothing is decided by facts,
// and they are not stored: those that a master has not written down when it dies are lost.
import type { AttemptId, JobId, WorkerId } from "../base/ids.ts";
import type { Failure, FailureText } from "../protocol/messages.ts";
import type { AttemptStats } from "../protocol/stats.ts";
import type { JobState, Outcome } from "../protocol/view.ts";

export type Fact = JobFact | AttemptFact | MapOutputFact | WorkerFact;

export type JobFact =
  | { readonly kind: "job-submitted"; readonly job: JobId; readonly name: string }
  /** The plan is stored, with this many tasks. */
  | {
      readonly kind: "job-planned";
      readonly job: JobId;
      readonly maps: number;
      readonly reduces: number;
      readonly inputBytes: number;
    }
  /** A failed job goes on where it stopped. */
  | { readonly kind: "job-resumed"; readonly job: JobId }
  /** The decision to publish was undone, as files of it are gone; `left` of its files still exist. */
  | { readonly kind: "decision-withdrawn"; readonly job: JobId; readonly files: number; readonly left: number }
  /** This master took over the job from its predecessor, in that state. */
  | { readonly kind: "job-recovered"; readonly job: JobId; readonly state: JobState }
  /** Every task has a winner, and this many workers are asked whether the job's code still does something there. */
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
  /** The records of a job that is over are removed: it can't be resumed any more, or is no longer shown at all. */
  | { readonly kind: "job-forgotten"; readonly job: JobId; readonly isShown: boolean };

export type AttemptFact =
  | {
      readonly kind: "attempt-started";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      /** True for a second attempt of a slow task. */
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
   * The job's code did something after its call had returned, so the job fails. `isTooLate`: its output was decided by
   * then, and may lack something.
   */
  | {
      readonly kind: "late-call";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      readonly error: FailureText;
      readonly isTooLate: boolean;
    }
  /** It can't win any more: another attempt has won, its job is over, its inputs have changed, or its worker drains. */
  | { readonly kind: "attempt-revoked"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string }
  /** It will not be heard of again: its worker is silent, or was started again. */
  | { readonly kind: "attempt-lost"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string };

/** `attempt` is the one that wrote the run. */
export type MapOutputFact =
  | { readonly kind: "map-output-lost"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string }
  /** A file that the attempt wrote for the output is gone before it was published. */
  | { readonly kind: "output-lost"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly why: string }
  | { readonly kind: "map-output-restored"; readonly attempt: AttemptId; readonly worker: WorkerId }
  /** A copy of it on another worker counts from now on, as its holder leaves. */
  | {
      readonly kind: "map-output-moved";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      readonly from: WorkerId;
    }
  /** A worker was to copy it from one that leaves, and can't. */
  | {
      readonly kind: "copy-failed";
      readonly attempt: AttemptId;
      readonly worker: WorkerId;
      readonly from: WorkerId;
      readonly why: string;
    }
  /** A reduce could not reach the holder. The first complaint moves the reduce; enough of them give up the run. */
  | {
      readonly kind: "holder-unreachable";
      readonly attempt: AttemptId;
      readonly holder: WorkerId;
      readonly worker: WorkerId;
    }
  /** A map that ran again emitted something else than before. */
  | { readonly kind: "digest-changed"; readonly attempt: AttemptId; readonly worker: WorkerId }
  /** This many finished reduces have to run again. */
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
        /** It succeeded again or was started again, or its quarantine is over. */
        | "worker-readmitted";
      readonly worker: WorkerId;
    }
  /** It came and went too often, and gets no work for this long. */
  | { readonly kind: "worker-quarantined"; readonly worker: WorkerId; readonly ms: number };

/** The job to whose history a fact belongs; undefined for facts about workers. */
export function jobOf(fact: Fact): JobId | undefined {
  if ("job" in fact) return fact.job;
  return "attempt" in fact ? fact.attempt.job : undefined;
}
