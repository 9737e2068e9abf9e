// The meaning of each error code, in one table: the exit code of a command, whether trying again can help, how an
// attempt that fails with it is judged, and what a caller over HTTP or gRPC is told. `npm run docs` makes
// docs/errors.md from it.

/** Exit codes of commands. */
export const exitCodes = {
  done: 0,
  /** The job's own code failed, or its results are not what was expected of them. */
  job: 1,
  /** The command, its options, or what a program gave to `run()` is wrong. */
  usage: 2,
  /** Input can't be read, or output is in the way or damaged. */
  data: 3,
  /** The machine, the cluster, or Millrace itself failed: trying again may help. */
  machine: 4,
  interrupted: 130,
} as const;

export type Ending = keyof typeof exitCodes;

/**
 * What has to change before a next try can do better.
 *
 * - now: nothing; the same command may succeed.
 * - mend: the job or its input; what was done with the old one does not count.
 * - change: the command, or whatever stands in its way.
 */
export type Remedy = "now" | "mend" | "change";

/**
 * How an attempt that ends with the code is judged (`Failure` in messages.ts).
 *
 * - user: another try may end differently, but the same failure on the same record is final.
 * - input and fatal: the failure is final.
 * - machine: the task is tried on another worker.
 */
export type FailureClass = "user" | "input" | "fatal" | "machine";

/** gRPC's names (`Code` of Connect), for callers that know none of our codes. */
export type GrpcCode =
  | "InvalidArgument"
  | "NotFound"
  | "AlreadyExists"
  | "ResourceExhausted"
  | "PermissionDenied"
  | "Unavailable"
  | "Aborted"
  | "FailedPrecondition"
  | "DataLoss"
  | "Internal";

export interface ErrorMeaning {
  readonly meaning: string;
  readonly ending: Exclude<Ending, "done">;
  readonly remedy: Remedy;
  readonly failure: FailureClass;
  readonly grpc: GrpcCode;
  /** Status of an HTTP answer; default 500. */
  readonly http?: number;
  /**
   * Nothing but another job or another input can help, for which what was done before does not count: users are not
   * told to resume.
   */
  readonly startsOver?: true;
  /** The layer that throws it knows no file; the layer that does puts the file's name in front of the message. */
  readonly namesNoFile?: true;
}

const usage = { ending: "usage", remedy: "change", failure: "fatal", grpc: "InvalidArgument" } as const;
const job = { ending: "job", remedy: "mend", failure: "user", grpc: "Internal", startsOver: true } as const;
/** The job's own, but a machine with more memory or a longer time limit may do it with the same code. */
const ofMachineToo = { ending: "job", remedy: "mend", failure: "machine", grpc: "Internal" } as const;
const data = { ending: "data", remedy: "mend", failure: "fatal", grpc: "Internal" } as const;
const machine = { ending: "machine", remedy: "now", failure: "machine", grpc: "Internal" } as const;

export const errorCodes = {
  "wrong-usage": { ...usage, meaning: "An option or argument is wrong.", http: 400 },
  "wrong-params": { ...usage, meaning: "Parameters of the job are missing, or are not what it asks for." },
  "nothing-to-resume": {
    ...usage,
    meaning: "There is nothing to go on with, or something has changed since.",
    grpc: "Internal",
  },
  "no-access": {
    ...usage,
    meaning: "The token is missing or wrong, or does not allow this.",
    failure: "machine",
    grpc: "PermissionDenied",
    http: 403,
  },

  "wrong-job": {
    ...job,
    meaning: "The job file can't be loaded, or is no job.",
    failure: "fatal",
    grpc: "InvalidArgument",
  },
  "user-error": { ...job, meaning: "The job's own code failed." },
  "wrong-value": { ...job, meaning: "A value can't be encoded, or would change on the way.", namesNoFile: true },
  "bad-output": { ...job, meaning: "A record can't be written by the format of the output." },
  "over-limit": {
    ...job,
    meaning: "A documented limit is exceeded.",
    failure: "fatal",
    grpc: "ResourceExhausted",
    http: 413,
    namesNoFile: true,
  },
  nondeterministic: { ...job, meaning: "A map that ran again emitted something else.", failure: "fatal" },
  "slot-died": { ...ofMachineToo, meaning: "The process that ran the job's code ended." },
  "task-timeout": { ...ofMachineToo, meaning: "A task made no progress within its time limit." },

  "no-input": { ...data, meaning: "No input file matches.", remedy: "change", grpc: "NotFound" },
  "bad-input": {
    ...data,
    meaning: "A file or a record can't be read.",
    failure: "input",
    startsOver: true,
    grpc: "InvalidArgument",
    namesNoFile: true,
  },
  "input-changed": { ...data, meaning: "An input file has changed during the run.", startsOver: true },
  "output-exists": { ...data, meaning: "The output exists already.", remedy: "change", grpc: "AlreadyExists" },
  "corrupt-output": {
    ...data,
    meaning: "A staged or published file is not what its manifest says.",
    remedy: "change",
    failure: "machine",
  },

  "no-space": { ...machine, meaning: "A disk or the memory tier is full.", grpc: "ResourceExhausted", http: 507 },
  "io-error": { ...machine, meaning: "A file can't be read or written, or a store does not answer as it should." },
  "corrupt-run": { ...machine, meaning: "An intermediate file fails its checks.", http: 422 },
  "corrupt-state": { ...machine, meaning: "The master's state is damaged.", remedy: "change", grpc: "DataLoss" },
  "segment-lost": { ...machine, meaning: "The output of a map is gone." },
  "bad-report": {
    ...machine,
    meaning:
      "An attempt or a worker reported what can't be: a broken worker, or a job that writes into its slot's messages.",
    remedy: "change",
    failure: "fatal",
  },
  "not-leader": { ...machine, meaning: "Another master leads.", grpc: "Unavailable", http: 503 },
  "state-busy": {
    ...machine,
    meaning: "Another process uses this state or work directory.",
    grpc: "FailedPrecondition",
  },
  unreachable: { ...machine, meaning: "Another process of the cluster can't be reached.", grpc: "Unavailable" },
  "not-supported": {
    ...machine,
    meaning: "This version, platform or runtime can't do it.",
    remedy: "change",
    failure: "fatal",
    grpc: "FailedPrecondition",
    namesNoFile: true,
  },
  "missing-package": {
    ...machine,
    meaning: "An optional package that this needs is not installed; the message has the command that installs it.",
    remedy: "change",
    grpc: "FailedPrecondition",
  },
  "job-failed": { ...machine, meaning: "The job failed, and no better word is known." },

  cancelled: {
    meaning: "The run was interrupted, or the job was cancelled.",
    ending: "interrupted",
    remedy: "now",
    failure: "machine",
    grpc: "Aborted",
    http: 499,
  },
} as const satisfies Readonly<Record<string, ErrorMeaning>>;

export type ErrorCode = keyof typeof errorCodes;

/** Narrows a code that may come from a store, from another process or from another version. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

/** A code that this version does not know means what "job-failed" means. */
export function meaningOf(code: string): ErrorMeaning {
  return errorCodes[isErrorCode(code) ? code : "job-failed"];
}

export function exitCodeOfCode(code: string): number {
  return exitCodes[meaningOf(code).ending];
}
