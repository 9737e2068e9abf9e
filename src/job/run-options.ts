// What `run` and `runInline` take and give, as types; derived from what `defineJob` knows of the job.
import type { RunProgress } from "./progress.ts";
import type { JobTypes, Named } from "./types.ts";

/**
 * Options of `run`. A relative path is relative to the working directory at the time of the call. Sizes are texts such
 * as "64MB" or "2GB" (units are powers of 1024), times such as "500ms", "30s" or "10m". A value out of range is refused
 * with `wrong-usage`.
 */
export type RunOptions<T extends JobTypes, Folder extends string = string> = ParamsOption<T["params"]> & {
  /**
   * Files, folders, globs or `s3://` URLs to read, one or an array of them; for a job with named inputs, an object of
   * these.
   * @example inputs: "logs"
   * @example inputs: ["logs/2024-*.gz"]
   * @example inputs: { users: ["users.csv"], orders: ["orders"] }
   */
  readonly inputs: Paths<T["input"]>;
  /**
   * Folder or URL to publish the result in. It must not exist, or be empty. Default: nothing is published, and the
   * records are read from the result of `run`. Required with `master`.
   */
  readonly output?: Folder;
  /**
   * Path or URL (`import.meta.url`) of the module whose default export is the job. Default: the file that called
   * `defineJob`.
   */
  readonly module?: string;
  /**
   * Address of a cluster to run on, such as "https://m1:7070", or those of its masters with commas between. Default:
   * this process and child processes of it.
   */
  readonly master?: string;
  /**
   * Partitions, one part file each, from 1 to 10,000; not for map-only jobs. Default: the job's own `reducers`,
   * otherwise one per 64 MiB of input, from 1 to 64.
   */
  readonly reducers?: number;
  /** Child processes that run the job's code, from 1 to 1024. Default: one per core. Not with `master`. */
  readonly slots?: number;
  /**
   * Memory for all slots and intermediate data together. Default: a quarter of the machine's memory. Not with `master`.
   */
  readonly memory?: string;
  /**
   * A program and its arguments that read each input file on standard input and write what it holds to standard output,
   * such as "xz -dc"; started without a shell. Default: files are read as they are, and gzip and zstd decompressed. Not
   * with `master`.
   */
  readonly decompress?: string;
  /** How much input one map task reads. Default: a 32nd of the input, from 1 to 64 MiB. */
  readonly splitSize?: string;
  /** How many slots the job may use at once, from 1 to 1,000,000. Default: all there are. */
  readonly maxSlots?: number;
  /** How often a task is tried before the job fails, from 1 to 100. Default 4. */
  readonly attempts?: number;
  /**
   * A task that makes no progress for this long is ended and tried again; `ctx.progress()` is progress. Default "10m".
   */
  readonly taskTimeout?: string;
  /** The longest that one try at a task may take in all. Default: there is no limit. */
  readonly taskLimit?: string;
  /**
   * A task writes down how far it has come at most once in this time; where it is interrupted, the next try goes on
   * there. "off": each try begins at the beginning. Default "30s".
   */
  readonly checkpoint?: string;
  /** How many bad records the whole job may put aside as dead letters before it fails. Default 0. */
  readonly skipBad?: number;
  /** Folder or URL to publish the dead letters in. Default: `_dead-letters` in the output. */
  readonly deadLetters?: string;
  /** Paths of side files by name, in place of the ones that the job declares. Default: the job's own paths. */
  readonly files?: Readonly<Record<string, string>>;
  /** Environment variables that the job's code sees. Default: only `PATH`, `TZ` and `LANG`. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Folder for intermediate data that memory can't hold. Default: a folder beside the output, or a temporary one
   * without an output. Not with `master`.
   */
  readonly workDir?: string;
  /**
   * Replace the output if Millrace published it. Default false: an output that exists is refused with `output-exists`.
   */
  readonly overwrite?: boolean;
  /**
   * Go on where a run with this output crashed or failed. Default false. Where such a run has published its output
   * already, its result is returned and nothing runs. Refused with `nothing-to-resume` where there is no such run, or
   * the job or its input has changed. Not with `master`.
   */
  readonly resume?: boolean;
  /**
   * Go on like `resume`, or begin where there is nothing to go on with: for loops that try again until the output is
   * there. Default false. Not with `master`.
   */
  readonly resumeOrBegin?: boolean;
  /**
   * File with the token that `master` asks for. Default: the file that `MILLRACE_TOKEN_FILE` names, otherwise what a
   * master on this machine has left for its user. Only with `master`.
   */
  readonly tokenFile?: string;
  /**
   * File with the certificate (PEM) that the one of `master` is signed by. Default: what this machine trusts. Only with
   * `master`.
   */
  readonly ca?: string;
  /**
   * Cancels the job, wherever it runs, and cleans up. `run` then rejects with `cancelled`; the reason given to `abort`
   * is the `cause`. Default: the job can't be cancelled.
   */
  readonly signal?: AbortSignal;
  /**
   * Called with what has been done so far, at most four times a second and whenever the state changes; the last call
   * has the state in which the job ended. While a promise that it has returned is pending only the last call comes; the
   * run does not wait for it. An error of it does not fail the run: it is told once, as a warning of the process
   * (`MillraceWarning`), and ends the calls. Default: nothing is called.
   * @example onProgress: ({ percent, leftMs }) => bar.update(percent ?? 0, leftMs)
   */
  readonly onProgress?: (progress: RunProgress) => unknown;
};

/** What `run` resolves to. */
export interface JobResult<Counter extends string = string> {
  /**
   * The job's counters by name: totals of `ctx.count`, in which each task counts once. Those that the job declares are
   * there, at 0 where nothing was counted.
   */
  readonly counters: { readonly [N in Counter]: number };
  /** What its tasks did, as `_SUCCESS` says it too. */
  readonly stats: RunStatistics;
  /** How many bad records were put aside. */
  readonly deadLetters: number;
  /** The folder or URL of the result; left out without `output`. */
  readonly output?: string;
  /** The time from the call of `run` to its result, in milliseconds. */
  readonly elapsedMs: number;
  /**
   * Published files, in partition order; empty without `output`, and where a cluster's output can't be seen from here.
   */
  readonly files: readonly {
    /** Path or URL of the file. */
    readonly path: string;
    /** Its size in bytes, as published (compressed, if it is). */
    readonly bytes: number;
    /** How many records it has. */
    readonly records: number;
  }[];
}

/** What the tasks of a job did, without attempts that failed or were not needed. */
export interface RunStatistics {
  /** Bytes of all inputs. */
  readonly inputBytes: number;
  /** What all map tasks did. */
  readonly map: PhaseStatistics;
  /** What all reduce tasks did; zeros in a map-only job. */
  readonly reduce: PhaseStatistics;
}

/** Sums over the tasks of a phase. */
export interface PhaseStatistics {
  /** Records that map read, or groups that reduce got. */
  readonly recordsIn: number;
  /** Bytes that were read. */
  readonly bytesIn: number;
  /** Pairs that map emitted, before combining, or that reduce read. */
  readonly pairs: number;
  /** Records that were written to outputs. */
  readonly recordsOut: number;
  /** Bytes that were written to outputs. */
  readonly bytesOut: number;
  /** Bytes of intermediate data in memory. */
  readonly memoryRunBytes: number;
  /** Bytes of intermediate data on disk. */
  readonly diskRunBytes: number;
  /** How often sorted data was written out before its task had read all. */
  readonly spills: number;
  /** Groups of one key. */
  readonly groups: number;
  /** Values of the largest group, after combining. */
  readonly groupMax: number;
  /** Bytes of map outputs that came from other workers. */
  readonly fetchedBytes: number;
  /** Line ends inside records that were put aside. */
  readonly asideLines: number;
  /** Bytes of records that were put aside. */
  readonly asideBytes: number;
  /** Time that the tasks took, one after the other. */
  readonly wallMs: number;
}

/** Options of `runInline`. */
export type InlineOptions<T extends JobTypes> = ParamsOption<T["params"]> & {
  /** Partitions, from 1; ignored by a map-only job. The order of the records follows from them. Default 1. */
  readonly reducers?: number;
  /** What `ctx.source` says. Default "inline". */
  readonly source?: string;
};

/** What `runInline` resolves to. */
export interface InlineResult<T extends JobTypes> {
  /** Records of the main output as they were emitted, partition after partition. */
  readonly records: readonly T["record"][];
  /** Records of the other outputs, by name. */
  readonly others: { readonly [N in keyof T["others"]]: readonly T["others"][N][] };
  /** Totals of `ctx.count` by name; a plain object, which compares equal to a literal. */
  readonly counters: { readonly [N in T["counter"]]: number };
}

type Paths<In> = [In] extends [Named<infer R>]
  ? { readonly [N in keyof R]: string | readonly string[] }
  : string | readonly string[];
/** The records of an inline run: an array, or with named inputs an object of arrays. */
export type InputRecords<In> = [In] extends [Named<infer R>]
  ? { readonly [N in keyof R]: readonly R[N][] }
  : readonly In[];
type ParamsOption<P> = {} extends P
  ? {
      /** The job's parameters by name. Default: each has its default. Refused with `wrong-params`. */
      readonly params?: P;
    }
  : {
      /** The job's parameters by name; those with a default may be left out. Refused with `wrong-params`. */
      readonly params: P;
    };
