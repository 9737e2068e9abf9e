// The options that `run`, `plan`, `test` and `sim` share, from words on the command line to checked values.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { isUrl, refuseNoPath } from "../base/paths.ts";
import { parseDuration, parseSize } from "../base/units.ts";
import { parseAddress } from "../rpc/client/address.ts";
import { parseListen } from "../rpc/server/listen-address.ts";

/** As commander collects them; every value is checked when it is parsed. */
export interface RunFlags {
  readonly output?: string;
  readonly reducers?: number;
  readonly slots?: number;
  readonly memory?: number;
  readonly splitSize?: number;
  readonly attempts: number;
  readonly taskTimeout: number;
  readonly taskLimit?: number;
  readonly param: ReadonlyMap<string, string>;
  readonly input: ReadonlyMap<string, readonly string[]>;
  readonly file: ReadonlyMap<string, string>;
  readonly env: ReadonlyMap<string, string>;
  readonly workDir?: string;
  readonly skipBad: number;
  readonly deadLetters?: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly maxSlots?: number;
  /** A cluster's address; undefined: this machine. */
  readonly master?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly detach?: boolean;
}

/** Of `sim`, where the size of the input would make it one: a simulation of one reduce would miss much. */
export const simPartitions = 4;
/** Of input, for `sim`. */
export const sampleBytes = parseSize("1MB", "--sample");

/** Of `sim`. */
export interface SimFlags extends Pick<RunFlags, "input" | "param" | "file" | "env" | "reducers" | "skipBad" | "json"> {
  readonly seeds?: number;
  readonly seed?: number;
  /** Bytes. */
  readonly sample: number;
  readonly verbose: boolean;
}

/** How a command finds its cluster. */
export interface MasterFlags {
  readonly master: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly json: boolean;
}

/** Of `run` and `plan`: `plan` takes what `run` would get. */
export function addRunOptions(command: Command): Command {
  command
    .optionsGroup("Output:")
    .option("-o, --output <dir>", "folder to publish, must not exist or be empty; - or none: print the result", output)
    .option(
      "--dead-letters <dir>",
      "folder to publish the bad records in that --skip-bad puts aside (default: _dead-letters in the output)",
      folder("--dead-letters"),
    )
    .option("--overwrite", "replace the folder, if Millrace published it", false)
    .option("--resume", "go on where a crashed or failed run with this output stopped", false);
  addJobOptions(command);
  return command.option("--quiet", "no progress and no summary", false);
}

/** Of `run`: on a cluster instead of here. */
export function addClusterOptions(command: Command): Command {
  command
    .optionsGroup("On a cluster:")
    .option("--master <url>", "run the job there, like https://m1:7070 (default: on this machine)", address);
  return addAccessOptions(command)
    .option("--detach", "leave when the cluster has the job; print its id", false)
    .option("--max-slots <n>", "slots that the job may use at once (default: all)", count("--max-slots", 1, 1_000_000));
}

/** Of the commands that ask a master something. */
export function addMasterOptions(command: Command): Command {
  command.requiredOption("--master <url>", "the cluster's address, like https://m1:7070", address);
  return addAccessOptions(command).option("--json", "JSON lines for scripts instead of text for people", false);
}

/** Of `master` and `worker`. */
export function addServiceOptions(command: Command): Command {
  return command
    .option(
      "--advertise <host>",
      "name or address that others reach this machine by (default: that of --listen)",
      word("--advertise", "a host"),
    )
    .option("--tls-cert <file>", "this machine's certificate (PEM)", path("--tls-cert"))
    .option("--tls-key <file>", "its key (PEM)", path("--tls-key"))
    .option(
      "--ca <file>",
      "certificate that those of the others are signed by (default: what this machine trusts)",
      path("--ca"),
    )
    .addOption(
      new Option("--log-level <level>", "what is logged on standard error, as JSON lines")
        .choices(["debug", "info", "warn", "error"])
        .default("info", "info"),
    )
    .option("--json", "say that it is ready as JSON", false);
}

export function addAccessOptions(command: Command): Command {
  return command
    .option(
      "--token-file <file>",
      "holds the token (default: $MILLRACE_TOKEN_FILE, else what a master on this machine has left for its user)",
      path("--token-file"),
    )
    .option(
      "--ca <file>",
      "certificate that the master's is signed by (default: what this machine trusts)",
      path("--ca"),
    );
}

/** Of `sim` too: what the job is given. `partitions`: how many there are where nobody says. */
function addInputOptions(command: Command, partitions = "one per 64 MiB of input"): Command {
  return command
    .optionsGroup("The job:")
    .option(
      "--input <name=path>",
      "a named input's file, folder or glob; may be repeated",
      namedPaths("--input"),
      new Map(),
    )
    .option("--param <name=value>", "a parameter of the job; may be repeated", pairs("--param"), new Map())
    .option("--file <name=path>", "replaces a side file of the job; may be repeated", namedPath("--file"), new Map())
    .option("--env <name[=value]>", envDescription, variables, new Map())
    .option(
      "--reducers <n>",
      `partitions, one part file each (default: the job's, else ${partitions})`,
      count("--reducers", 0, limits.partitionsMax),
    );
}

/** Of `test` too, which publishes nothing. */
export function addJobOptions(command: Command): Command {
  return addInputOptions(command)
    .optionsGroup("The machine (the result does not depend on these):")
    .option(
      "--slots <n>",
      "processes that run the job's code (default: one per core)",
      count("--slots", 1, limits.slotsMax),
    )
    .option(
      "--memory <size>",
      "for all slots and intermediate data together, like 2GB (default: a quarter of what there is)",
      size("--memory"),
    )
    .option(
      "--split-size <size>",
      "input of one map task, like 16MB (default: a 32nd of the input, 1 to 64 MiB)",
      size("--split-size"),
    )
    .option(
      "--work-dir <dir>",
      "for intermediate data that memory can't hold (default: beside the output, or a temporary folder)",
      path("--work-dir"),
    )
    .optionsGroup("When something fails:")
    .option(
      "--skip-bad <n>",
      "put up to n bad records aside, in _dead-letters or --dead-letters, instead of failing",
      count("--skip-bad", 0, Number.MAX_SAFE_INTEGER),
      0,
    )
    .option(
      "--attempts <n>",
      "tries at a task before the job fails",
      count("--attempts", 1, limits.attemptsGivenMax),
      limits.attemptsMax,
    )
    .addOption(
      new Option("--task-timeout <time>", "a task that makes no progress for this long is tried again, like 30s")
        .argParser(time("--task-timeout"))
        .default(limits.taskTimeoutMs, "10m"),
    )
    .option("--task-limit <time>", "longest that a task may take in all (default: no limit)", time("--task-limit"))
    .optionsGroup("What is shown:")
    .addHelpOption(new Option("-h, --help", "this text").helpGroup("What is shown:"))
    .option("--json", "JSON lines for scripts instead of text for people", false);
}

/** Of `sim`, whose machines are its own. */
export function addSimOptions(command: Command): Command {
  return addInputOptions(command, String(simPartitions))
    .option(
      "--skip-bad <n>",
      "put up to n bad records aside instead of failing",
      count("--skip-bad", 0, Number.MAX_SAFE_INTEGER),
      0,
    )
    .optionsGroup("What is simulated:")
    .option(
      "--seeds <n>",
      "how many clusters, each with faults of its own (default: 20)",
      count("--seeds", 1, 1_000_000),
    )
    .option("--seed <n>", "the first of them (default: 1); alone: this one, again", count("--seed", 0, 0xffff_ffff))
    .addOption(
      new Option("--sample <size>", "how much of the input is used, from the beginning of each file")
        .argParser(size("--sample"))
        .default(sampleBytes, "1MB"),
    )
    .optionsGroup("What is shown:")
    .addHelpOption(new Option("-h, --help", "this text").helpGroup("What is shown:"))
    .option("--verbose", "all that happens, in virtual time", false)
    .option("--json", "JSON lines for scripts instead of text for people", false);
}

export function count(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(
        `${name} takes a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? "" : ` to ${max}`}.`,
      );
    }
    return value;
  };
}

export function size(name: string): (text: string) => number {
  return (text) => explained(() => parseSize(text, name));
}

export function time(name: string): (text: string) => number {
  return (text) => explained(() => parseDuration(text, name));
}

/** Commander shows an InvalidArgumentError with the option's usage. */
function explained<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof MillraceError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** name=value; the same name twice is a mistake, not a wish. */
export function pairs(
  option: string,
): (text: string, previous: ReadonlyMap<string, string>) => ReadonlyMap<string, string> {
  return (text, previous) => added(option, previous, ...split(option, text));
}

/** name=path. */
export function namedPath(
  option: string,
): (text: string, previous: ReadonlyMap<string, string>) => ReadonlyMap<string, string> {
  return (text, previous) => {
    const [name, value] = split(option, text);
    explained(() => refuseNoPath(`the path of ${option} ${name}`, value));
    return added(option, previous, name, value);
  };
}

export const envDescription =
  "environment variable of the job's code; without a value: the one that it has here; may be repeated";

/** NAME=VALUE, or NAME for what it is in this process's own environment: then the value stands on no command line. */
export function variables(text: string, previous: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [name, value] = text.includes("=") ? split("--env", text) : ([text, process.env[text]] as const);
  if (!/^[^\s=\0]+$/.test(name))
    throw new InvalidArgumentError(`--env takes NAME=VALUE or NAME, and ${JSON.stringify(name)} is no name.`);
  if (value === undefined)
    throw new InvalidArgumentError(
      `--env ${name} passes on a variable that is not set here: give --env ${name}=VALUE.`,
    );
  return added("--env", previous, name, value);
}

function added(
  option: string,
  previous: ReadonlyMap<string, string>,
  name: string,
  value: string,
): ReadonlyMap<string, string> {
  if (previous.has(name)) throw new InvalidArgumentError(`${option} ${name} is given twice.`);
  return new Map([...previous, [name, value]]);
}

function namedPaths(
  option: string,
): (text: string, previous: ReadonlyMap<string, readonly string[]>) => ReadonlyMap<string, readonly string[]> {
  return (text, previous) => {
    const [name, value] = split(option, text);
    explained(() => refuseNoPath(`the path of ${option} ${name}`, value));
    return new Map([...previous, [name, [...(previous.get(name) ?? []), value]]]);
  };
}

function split(option: string, text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (text.slice(0, Math.max(at, 0)).trim() === "")
    throw new InvalidArgumentError(`${option} takes NAME=VALUE, not ${JSON.stringify(text)}.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A file or folder, made absolute here and nowhere else: some processes that read it work in other folders. */
export function path(option: string): (text: string) => string {
  return (text) => resolve(plainPath(option, text));
}

/** A folder as it was given, for messages: it is resolved when the run begins. */
function folder(option: string): (text: string) => string {
  return (text) => plainPath(option, text);
}

/** The same, or standard output. */
function output(text: string): string {
  return text === "-" ? text : plainPath("--output", text);
}

/** `-o -` is standard output, as without the option. */
export function withStandardOutput(flags: RunFlags): RunFlags {
  const { output: given, ...others } = flags;
  return given === undefined || given === "-" ? others : flags;
}

/** What begins with a hyphen is an option whose predecessor lacks its value (`-o $OUT --json`), or stands for a stream elsewhere. */
function plainPath(option: string, text: string): string {
  return explained(() => {
    refuseNoPath(`the path of ${option}`, text);
    if (text.startsWith("-") && !isUrl(text)) {
      throw new MillraceError(
        "wrong-usage",
        `${option} takes a path, and ${JSON.stringify(text)} looks like an option: give ./${text} if it is one.`,
      );
    }
    return text;
  });
}

/** An argument that is a path. */
export function pathArgument(what: string): (text: string) => string {
  return (text) => {
    explained(() => refuseNoPath(what, text));
    return text;
  };
}

export function pathArguments(
  what: string,
): (text: string, previous: readonly string[] | undefined) => readonly string[] {
  const parse = pathArgument(what);
  return (text, previous = []) => [...previous, parse(text)];
}

/** Of a cluster; as it was given. */
export function address(text: string): string {
  explained(() => parseAddress(text));
  return word("--master", "an address")(text);
}

/** HOST:PORT. */
export function listen(text: string): string {
  explained(() => parseListen(text));
  return text;
}

/** One word: a name, the beginning of an id. An empty one would be the beginning of each. */
export function word(name: string, what: string): (text: string) => string {
  return (text) => {
    if (!/^[^\s\0]+$/.test(text)) throw new InvalidArgumentError(`${name} takes ${what}, not ${JSON.stringify(text)}.`);
    return text;
  };
}
