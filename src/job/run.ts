// What `run` and `runInline` take and give, as types; derived from what `defineJob` knows of the job.
import type { JobTypes, Named } from "./types.ts";

export type RunOptions<T extends JobTypes, Folder extends string = string> = ParamsOption<T["params"]> & {
  /** Files, directories or globs, relative to the working directory; with named inputs an object of them. */
  readonly inputs: Paths<T["input"]>;
  /** Folder or URL of the result; must not exist or be empty. Default: none, and the records are read from the result. */
  readonly output?: Folder;
  /** The module whose default export is the job (`import.meta.url`). Default: the file that called `defineJob`. */
  readonly module?: string;
  /** A cluster's address, "https://m1:7070"; `output` is needed then. Default: this process and its children. */
  readonly master?: string;
  /** Partitions, one part file each; replaces the job's own number. Default: one per 64 MiB of input, 1 to 64. Not for map-only jobs. */
  readonly reducers?: number;
  /** Processes that run the job's code. Default: one per core. Not with `master`. */
  readonly slots?: number;
  /** For all slots and intermediate data together: "2GB". Default: a quarter of what there is. Not with `master`. */
  readonly memory?: string;
  /** Input of one map task: "16MB". Default: a 32nd of the input, 1 to 64 MiB. */
  readonly splitSize?: string;
  /** Slots that the job may use at once. Default: all there are. */
  readonly maxSlots?: number;
  /** Tries at a task before the job fails. Default 4. */
  readonly attempts?: number;
  /** A task that makes no progress for this long is tried again: "30s". Default "10m". */
  readonly taskTimeout?: string;
  /** Longest that a task may take in all: "2h". Default: no limit. */
  readonly taskLimit?: string;
  /** Bad records that are put aside, as dead letters, before the job fails. Default 0. */
  readonly skipBad?: number;
  /** Folder or URL for the bad records that are put aside. Default: `_dead-letters` in the output. */
  readonly deadLetters?: string;
  /** Paths of side files by name, in place of those that the job names. Default: none. */
  readonly files?: Readonly<Record<string, string>>;
  /** Environment variables of the job's code, which sees nothing else of yours but PATH. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** For intermediate data that memory can't hold. Default: beside the output, or a temporary folder. Not with `master`. */
  readonly workDir?: string;
  /** Replaces the folder `output`, if Millrace published it. Default false. */
  readonly overwrite?: boolean;
  /** Goes on where a crashed or failed run with this output stopped. Default false. Not with `master`. */
  readonly resume?: boolean;
  /** File that holds the token for `master`. Default: what MILLRACE_TOKEN_FILE names, else what a master on this machine has left. */
  readonly tokenFile?: string;
  /** PEM file with the certificate that the one of `master` is signed by. Default: what this machine trusts. */
  readonly ca?: string;
  /** Cancels the job, wherever it runs, and cleans up; the error has the reason that it was aborted with as its cause. */
  readonly signal?: AbortSignal;
};

export interface JobResult {
  readonly counters: Readonly<Record<string, number>>;
  /** Published files, in partition order; empty without `output`, and where a cluster's output can't be seen from here. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly records: number }[];
}

export type InlineOptions<T extends JobTypes> = ParamsOption<T["params"]> & {
  /** Default 1. */
  readonly reducers?: number;
  /** What `ctx.source` says. Default "inline". */
  readonly source?: string;
};

export interface InlineResult<T extends JobTypes> {
  readonly records: readonly T["record"][];
  /** Records of the other outputs, by name. */
  readonly others: { readonly [N in keyof T["others"]]: readonly T["others"][N][] };
  readonly counters: Readonly<Record<string, number>>;
}

type Paths<In> = [In] extends [Named<infer R>] ? { readonly [N in keyof R]: readonly string[] } : readonly string[];
/** The records of an inline run: an array, or with named inputs an object of arrays. */
export type InputRecords<In> = [In] extends [Named<infer R>]
  ? { readonly [N in keyof R]: readonly R[N][] }
  : readonly In[];
type ParamsOption<P> = {} extends P ? { readonly params?: P } : { readonly params: P };
