/** The part of a submission that travels: plain data, complete (with defaults filled in), checked when it is parsed. */
export interface JobSpec {
  readonly name: string;
  /** The SHA-256 of the bundle in hexadecimal, so that every worker runs the same code. */
  readonly bundle: string;
  /** Paths and globs as given, relative ones to `directory`. One entry, named "", where the job has one input. */
  readonly inputs: readonly { readonly name: string; readonly paths: readonly string[] }[];
  /** The absolute path of the directory in which the job was started. */
  readonly directory: string;
  /** The file that `-` stands for. */
  readonly standardInput: string | undefined;
  /** The files that FIFOs among the paths stand for, as such can be read only once; left out: there are none. */
  readonly spooled?: readonly SpooledInput[] | undefined;
  /** A program and its arguments that every input file goes through; left out: files are read as they are. */
  readonly decompress?: readonly string[] | undefined;
  readonly files: readonly { readonly name: string; readonly path: string; readonly sha256: string }[];
  /** The absolute path (or URL) of the directory to publish. */
  readonly output: string;
  /**
   * "formats": what the job's output formats write. "records": the main output as records of the `auto` codec, for
   * `run()`.
   */
  readonly writes: "formats" | "records";
  /** Given by flag or job; undefined: by input size. 0: map-only. */
  readonly partitions: number | undefined;
  readonly splitBytes: number | undefined;
  readonly attemptsMax: number;
  /** Slots that the job may use at a time, over all workers; undefined: all slots. */
  readonly maxSlots: number | undefined;
  readonly skipBad: number;
  /** Where dead letters are published in a folder of their own; left out: they are a part of the output. */
  readonly deadLetters?: DeadLettersFolder | undefined;
  /** The JSON as given, by which a resumed or repeated submission is compared. */
  readonly params: string;
  /**
   * What the job's table or schema made of them, once, encoded by the `auto` codec; undefined for a job without
   * parameters.
   */
  readonly paramsValue?: Uint8Array | undefined;
  readonly taskTimeoutMs: number;
  readonly taskLimitMs: number | undefined;
  /**
   * An attempt writes down how far it has come at most once in this time, for an attempt that goes on there; 0: never.
   */
  readonly checkpointMs: number;
  readonly nondeterministic: "rerun" | "fail";
  /** The identity of the directory that may be moved aside (`--overwrite`). */
  readonly replaces: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** ISO 8601; the value of `ctx.startedAt` in every attempt. */
  readonly startedAt: string;
}

export interface SpooledInput {
  /** As an input's path names it. */
  readonly given: string;
  /** The file that holds what was read from it. */
  readonly path: string;
}

export interface DeadLettersFolder {
  /** An absolute path (or URL). */
  readonly path: string;
  /** The identity of the directory that may be moved aside (`--overwrite`). */
  readonly replaces: string | undefined;
}
