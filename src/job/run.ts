// What `run` and `runInline` take and give, as types; derived from what `defineJob` knows of the job.
import type { JobTypes, Named } from "./types.ts";

export type RunOptions<T extends JobTypes, Folder extends string = string> = ParamsOption<T["params"]> & {
  /** Files, directories or globs; with named inputs an object of them. */
  readonly inputs: Paths<T["input"]>;
  /** Folder or URL of the result; must not exist or be empty. */
  readonly output?: Folder;
  /** The module whose default export is the job (`import.meta.url`). Default: the file that called `defineJob`. */
  readonly module?: string;
  /** A cluster's address, "https://m1:7070"; `output` is needed then. Default: this process and its children. */
  readonly master?: string;
  /** Replaces the job's own number; not for map-only jobs. */
  readonly reducers?: number;
  /** As the flags of `millrace run`; sizes "2GB", times "10m". */
  readonly slots?: number;
  readonly memory?: string;
  readonly splitSize?: string;
  readonly attempts?: number;
  readonly taskTimeout?: string;
  readonly taskLimit?: string;
  readonly skipBad?: number;
  /** Folder or URL for the bad records that are put aside. Default: `_dead-letters` in the output. */
  readonly deadLetters?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly workDir?: string;
  readonly overwrite?: boolean;
  readonly resume?: boolean;
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
