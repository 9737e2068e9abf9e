// What a run can be told, by `run()` and by the command line: one table. From it come the checks of `run()`, the
// command's flags and their help, the words of hints that repeat a command line, which options are for which kind of
// run, and what an engine is asked for (option-values.ts). An option more is one entry here, its member with hover text
// in `RunOptions` (option-table.test.ts holds the two against each other), and what the engine does with it.
import { limits } from "../../base/limits.ts";

/** How a value is written, by `run()` and on a command line. */
export type Kind =
  /** A whole number within bounds. */
  | { readonly kind: "count"; readonly min: number; readonly max: number }
  /** "2GB"; in bytes. */
  | { readonly kind: "size" }
  /** "10m"; in milliseconds. */
  | { readonly kind: "duration" }
  /** "30s" or "off"; in milliseconds, 0 where it is off. */
  | { readonly kind: "interval" }
  | { readonly kind: "flag" }
  /** One of a few words. */
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  /** A folder or URL to publish in; made absolute when the run begins, so that messages show it as it was given. */
  | { readonly kind: "output" | "folder" }
  /** A path, absolute once it is checked. */
  | { readonly kind: "directory" | "file" | "module" }
  /** A program and its arguments, as words of a command line. */
  | { readonly kind: "program" }
  /** The address of a cluster, such as "https://m1:7070". */
  | { readonly kind: "address" }
  /** A path, some, or these by the names of inputs; the command takes those without a name as its arguments. */
  | { readonly kind: "inputs" }
  /** Values by name, as the job declares them. */
  | { readonly kind: "params" }
  /** A path each by name. */
  | { readonly kind: "paths" }
  /** Texts by the names of environment variables. */
  | { readonly kind: "variables" }
  | { readonly kind: "signal" }
  | { readonly kind: "callback" };

/** The headings of the command's help, in its order. */
export const optionGroups = {
  output: "Output:",
  job: "The job:",
  machine: "The machine (the result does not depend on these):",
  failure: "When something fails:",
  shown: "What is shown:",
  cluster: "On a cluster:",
  settings: "Settings:",
} as const;
export type OptionGroup = keyof typeof optionGroups;

interface Flag {
  readonly group: OptionGroup;
  /**
   * The attribute that the command line is parsed into, where it is not the name; the flag is made of it: "splitSize",
   * --split-size.
   */
  readonly as?: string;
  readonly short?: `-${string}`;
  /** What stands for its value in the help. */
  readonly value?: string;
  readonly help: string;
  /** What the help says of its default, where it has one that is not in the sentence. */
  readonly shownDefault?: string;
  /** Whether a hint that repeats the command line leaves it out: it says how one run begins, or what is shown. */
  readonly isOfOneRun?: true;
}

export type RunOption = Kind & {
  /** Undefined: `run()` alone has it. */
  readonly flag?: Flag;
  /** True: the command alone has it. */
  readonly isOfCommand?: true;
  readonly default?: number;
  /** The kind of run that it is for, where it is not for both. */
  readonly only?: "here" | "cluster";
  /** What there is on a cluster instead; MASTER is the cluster's address. */
  readonly instead?: string;
  /**
   * Whether a file of settings may give it to all runs (cli/settings): not what is of one run or of one job, and not
   * what names a program or changes what the job's code sees, as such a file is found, and not chosen.
   */
  readonly inFile?: true;
  /** A file's value counts only beside one of these: without them a run has no place for it. */
  readonly inFileBeside?: readonly ("output" | "deadLetters")[];
  /** The environment variable that gives it to a command where no option does. */
  readonly variable?: string;
  /** What the engine calls it in `SubmitOptions`, where it goes there as it is. */
  readonly submit?: string;
};

/** In the order of the command's help. */
export const runOptions = {
  output: {
    kind: "output",
    flag: {
      group: "output",
      short: "-o",
      value: "<dir>",
      help: "folder to publish, must not exist or be empty; - or none: print the result",
    },
  },
  deadLetters: {
    kind: "folder",
    flag: {
      group: "output",
      value: "<dir>",
      help: "folder to publish the bad records in that --skip-bad puts aside (default: _dead-letters in the output)",
    },
  },
  overwrite: { kind: "flag", flag: { group: "output", help: "replace the folder, if Millrace published it" } },
  resume: {
    kind: "flag",
    only: "here",
    instead: "a failed job is started again with  millrace retry JOB --master MASTER",
    flag: { group: "output", help: "go on where a crashed or failed run with this output stopped", isOfOneRun: true },
  },
  resumeOrBegin: {
    kind: "flag",
    only: "here",
    instead: "submit the job again, or start a failed one again with  millrace retry JOB --master MASTER",
    flag: {
      group: "output",
      help: "go on like --resume, or begin if there is nothing to go on with; for loops that try again",
      isOfOneRun: true,
    },
  },
  inputs: {
    kind: "inputs",
    flag: {
      group: "job",
      as: "input",
      short: "-i",
      value: "<name=path>",
      help: "a named input's file, folder or glob; may be repeated",
    },
  },
  params: {
    kind: "params",
    flag: {
      group: "job",
      as: "param",
      short: "-p",
      value: "<name=value>",
      help: "a parameter of the job; may be repeated",
    },
  },
  files: {
    kind: "paths",
    submit: "files",
    flag: { group: "job", as: "file", value: "<name=path>", help: "replaces a side file of the job; may be repeated" },
  },
  env: {
    kind: "variables",
    flag: {
      group: "job",
      short: "-e",
      value: "<name[=value]>",
      help: "environment variable of the job's code; without a value: the one that it has here; may be repeated",
    },
  },
  reducers: {
    kind: "count",
    min: 0,
    max: limits.partitionsMax,
    submit: "reducers",
    inFile: true,
    flag: {
      group: "job",
      value: "<n>",
      help: "partitions, one part file each (default: the job's, else one per 64 MiB of input)",
    },
  },
  slots: {
    kind: "count",
    min: 1,
    max: limits.slotsMax,
    only: "here",
    instead: "each worker has its own; --max-slots N limits what the job may use",
    inFile: true,
    flag: {
      group: "machine",
      value: "<n>",
      help: "processes that run the job's code (default: one per core)",
    },
  },
  memory: {
    kind: "size",
    only: "here",
    instead: "each worker has its own (millrace worker --memory)",
    inFile: true,
    flag: {
      group: "machine",
      value: "<size>",
      help: "for all slots and intermediate data together, like 2GB (default: a quarter of what there is)",
    },
  },
  splitSize: {
    kind: "size",
    submit: "splitBytes",
    inFile: true,
    flag: {
      group: "machine",
      value: "<size>",
      help: "input of one map task, like 16MB (default: a 32nd of the input, 1 to 64 MiB)",
    },
  },
  workDir: {
    kind: "directory",
    only: "here",
    instead: "each worker has its own (millrace worker --work-dir)",
    inFile: true,
    flag: {
      group: "machine",
      value: "<dir>",
      help: "for intermediate data that memory can't hold (default: beside the output, or a temporary folder)",
    },
  },
  decompress: {
    kind: "program",
    only: "here",
    instead: "each worker would need the program: decompress the files first",
    submit: "decompress",
    flag: {
      group: "machine",
      value: "<program>",
      help: "program that reads each input file on stdin and writes what it holds, like 'xz -dc'",
    },
  },
  skipBad: {
    kind: "count",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: 0,
    submit: "skipBad",
    inFile: true,
    inFileBeside: ["output", "deadLetters"],
    flag: {
      group: "failure",
      value: "<n>",
      help: "put up to n bad records aside, in _dead-letters or --dead-letters, instead of failing",
    },
  },
  attempts: {
    kind: "count",
    min: 1,
    max: limits.attemptsGivenMax,
    default: limits.attemptsMax,
    submit: "attempts",
    inFile: true,
    flag: { group: "failure", value: "<n>", help: "tries at a task before the job fails" },
  },
  taskTimeout: {
    kind: "duration",
    default: limits.taskTimeoutMs,
    submit: "taskTimeoutMs",
    inFile: true,
    flag: {
      group: "failure",
      value: "<time>",
      help: "a task that makes no progress for this long is tried again, like 30s",
      shownDefault: "10m",
    },
  },
  taskLimit: {
    kind: "duration",
    submit: "taskLimitMs",
    inFile: true,
    flag: { group: "failure", value: "<time>", help: "longest that a task may take in all (default: no limit)" },
  },
  checkpoint: {
    kind: "interval",
    default: limits.checkpointMs,
    submit: "checkpointMs",
    inFile: true,
    flag: {
      group: "failure",
      value: "<time>",
      help: "how much of a task is done again at most when it is interrupted, or off",
      shownDefault: "30s",
    },
  },
  json: {
    kind: "flag",
    isOfCommand: true,
    flag: { group: "shown", help: "JSON lines for scripts instead of text for people", isOfOneRun: true },
  },
  quiet: {
    kind: "flag",
    isOfCommand: true,
    flag: { group: "shown", short: "-q", help: "no progress and no summary", isOfOneRun: true },
  },
  noProgress: {
    kind: "flag",
    isOfCommand: true,
    inFile: true,
    flag: { group: "shown", help: "no progress, but warnings and the summary", isOfOneRun: true },
  },
  color: {
    kind: "choice",
    choices: ["auto", "always", "never"],
    isOfCommand: true,
    flag: {
      group: "shown",
      value: "<when>",
      help: "auto, always or never (default: auto: on a terminal; NO_COLOR and FORCE_COLOR count)",
      isOfOneRun: true,
    },
  },
  master: {
    kind: "address",
    inFile: true,
    variable: "MILLRACE_MASTER",
    flag: {
      group: "cluster",
      short: "-m",
      value: "<url>",
      help: "run the job there, like https://m1:7070 or a list of masters with commas; none: on this machine (default: $MILLRACE_MASTER, else none)",
    },
  },
  tokenFile: {
    kind: "file",
    only: "cluster",
    inFile: true,
    variable: "MILLRACE_TOKEN_FILE",
    flag: {
      group: "cluster",
      value: "<file>",
      help: "holds the token (default: $MILLRACE_TOKEN_FILE, else what a master on this machine has left for its user)",
    },
  },
  ca: {
    kind: "file",
    only: "cluster",
    inFile: true,
    flag: {
      group: "cluster",
      value: "<file>",
      help: "certificate that the master's is signed by (default: what this machine trusts)",
    },
  },
  detach: {
    kind: "flag",
    isOfCommand: true,
    only: "cluster",
    flag: { group: "cluster", help: "leave when the cluster has the job; print its id", isOfOneRun: true },
  },
  maxSlots: {
    kind: "count",
    min: 1,
    max: 1_000_000,
    submit: "maxSlots",
    inFile: true,
    flag: { group: "cluster", value: "<n>", help: "slots that the job may use at once (default: all)" },
  },
  noConfig: {
    kind: "flag",
    isOfCommand: true,
    flag: { group: "settings", help: `no settings from millrace.json, nor from "millrace" in package.json` },
  },
  module: { kind: "module" },
  signal: { kind: "signal" },
  onProgress: { kind: "callback" },
} as const satisfies Readonly<Record<string, RunOption>>;

export type Table = typeof runOptions;
export type RunOptionName = keyof Table;
/** Those that `run()` takes. */
export type OfRun = {
  [N in RunOptionName]: Table[N] extends { readonly isOfCommand: true } ? never : N;
}[RunOptionName];
/** Those that the command takes. */
export type OfCommand = { [N in RunOptionName]: Table[N] extends { readonly flag: Flag } ? N : never }[RunOptionName];

export const runOptionNames = Object.keys(runOptions) as RunOptionName[];

export function runOption(name: RunOptionName): RunOption {
  return runOptions[name];
}

/** "--split-size". */
export function flagOf(name: RunOptionName): string {
  const attribute = runOption(name).flag?.as ?? name;
  return `--${attribute.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
