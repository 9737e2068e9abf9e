/** The part of a submission that travels: plain data, complete (defaults filled in), checked when parsed. */
export interface JobSpec {
  readonly name: string;
  /** SHA-256 of the bundle in hexadecimal, so every worker runs the same code. */
  readonly bundle: string;
  /** Paths and globs as given, relative ones to `directory`; one entry named "" where the job has one input. */
  readonly inputs: readonly { readonly name: string; readonly paths: readonly string[] }[];
  /** Absolute: where the job was started. */
  readonly directory: string;
  /** The file that `-` stands for. */
  readonly standardInput: string | undefined;
  readonly files: readonly { readonly name: string; readonly path: string; readonly sha256: string }[];
  /** Absolute path (or URL) of the directory to publish. */
  readonly output: string;
  /** "formats": as the job's output formats write. "records": the main output as records of the `auto` codec, for `run()`. */
  readonly writes: "formats" | "records";
  /** Given by flag or job; undefined: by input size. 0: map-only. */
  readonly partitions: number | undefined;
  readonly splitBytes: number | undefined;
  readonly attemptsMax: number;
  /** Slots that the job may use at once, over all workers; undefined: all there are. */
  readonly slotsMax: number | undefined;
  readonly deadLettersMax: number;
  /** The folder of their own that dead letters are published in; left out: they are a part of the output. */
  readonly deadLetters?: DeadLettersPlace | undefined;
  /** JSON as given: what a resumed or repeated submission is compared by. */
  readonly params: string;
  /** What the job's table or schema made of them, once, by the `auto` codec; undefined for a job that has none. */
  readonly paramsValue?: Uint8Array | undefined;
  readonly taskTimeoutMs: number;
  readonly taskLimitMs: number | undefined;
  readonly nondeterministic: "rerun" | "fail";
  /** Identity of the directory that may be moved aside (`--overwrite`). */
  readonly replaces: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** ISO 8601; what `ctx.startedAt` says in every attempt. */
  readonly startedAt: string;
}

export interface DeadLettersPlace {
  /** Absolute path (or URL). */
  readonly path: string;
  /** Identity of the directory that may be moved aside (`--overwrite`). */
  readonly replaces: string | undefined;
}
