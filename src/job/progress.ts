// What a run shows of itself while it goes on, as data: for `onProgress` of `run()`, the screen and the events of
// `--json`.

/**
 * What a run has done so far. Sums are those of tasks that are done, and for what has been read also those of tasks
 * that run; they go back where a task has to be done again.
 */
export interface RunProgress {
  /** The job's id. */
  readonly job: string;
  /** The job's name. */
  readonly name: string;
  /** The stage that the job is in; "closing" comes when all tasks are done, and before the output is published. */
  readonly state: "planning" | "mapping" | "reducing" | "closing" | "publishing" | "succeeded" | "failed" | "cancelled";
  /** Why nothing of the job runs, on a cluster; left out while something does. */
  readonly waiting?: "no workers" | "workers draining" | "workers quarantined" | "no free slots";
  /** Time since the run began. */
  readonly elapsedMs: number;
  /** Records of the input that have been read. */
  readonly records: number;
  /** Bytes of the input that have been read: of compressed files, compressed bytes. */
  readonly bytes: number;
  /** Bytes of all inputs; 0 until they are planned. */
  readonly inputBytes: number;
  /** How much of the input has been read, from 0 to 100; left out until it is planned. */
  readonly percent?: number;
  /** How fast it was read over the last seconds; left out where it is not being read. */
  readonly bytesPerSecond?: number;
  /**
   * How long the stage is likely to go on; left out until enough of it is done at a steady rate, and where that
   * changes.
   */
  readonly leftMs?: number;
  /** Tasks by phase. */
  readonly tasks: {
    readonly [Phase in "plan" | "map" | "reduce"]: {
      /** Those that are done. */
      readonly done: number;
      /** Those that run now. */
      readonly running: number;
      /** All of them; 0 until they are known. */
      readonly total: number;
    };
  };
  /** Totals of `ctx.count` by name, of tasks that are done. */
  readonly counters: Readonly<Record<string, number>>;
  /** Bytes of intermediate data that memory could not hold. */
  readonly spilledBytes: number;
  /** Records that were put aside. */
  readonly deadLetters: number;
  /** Tasks that have been on one record, or on the values of one key, for long. */
  readonly slow: readonly {
    /** The phase of the task. */
    readonly phase: "plan" | "map" | "reduce";
    /** Its index among the tasks of its phase. */
    readonly index: number;
    /** For how long. */
    readonly ms: number;
    /** "key": its values are being read, and there are many; "call": a record or a key takes long. */
    readonly on: "call" | "key";
    /** That key, at most 64 bytes of it, as an error would show it; left out where it is not known. */
    readonly key?: string;
    /** Where the record is, left out where that is not known. */
    readonly at?: {
      /** The index of its file in the plan. */
      readonly file: number;
      /** Its first byte in that file. */
      readonly offset: number;
    };
  }[];
}
