// The options that `run`, `plan` and `test` share, from words on the command line to checked values.
import { type Command, InvalidArgumentError, Option } from "commander";
import { MillraceError } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { parseDuration, parseSize } from "../base/units.ts";

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
  readonly json: boolean;
  readonly quiet: boolean;
  readonly resume: boolean;
  readonly overwrite: boolean;
}

export function addRunOptions(command: Command): Command {
  return command
    .option("-o, --output <dir>", "folder to publish; must not exist or be empty (default: print the result)")
    .option(
      "--reducers <n>",
      "partitions, one part file each (default: the job's, or by input size)",
      count("--reducers", 0, limits.partitionsMax),
    )
    .option("--slots <n>", "processes that run tasks (default: one per core)", count("--slots", 1, 1024))
    .option(
      "--memory <size>",
      "for all slots and the memory tier together (default: a quarter of the machine's)",
      size("--memory"),
    )
    .option("--split-size <size>", "input of one map task (default: by input size, 1 to 64 MiB)", size("--split-size"))
    .option("--attempts <n>", "tries at a task before the job fails", count("--attempts", 1, 100), limits.attemptsMax)
    .addOption(
      new Option("--task-timeout <time>", "without progress for this long a task is given to another slot")
        .argParser(time("--task-timeout"))
        .default(limits.taskTimeoutMs, "10m"),
    )
    .option("--task-limit <time>", "longest a task may take (default: none)", time("--task-limit"))
    .option("--param <name=value>", "a parameter of the job; may be repeated", pairs("--param"), new Map())
    .option("--input <name=path>", "a named input's file, folder or glob; may be repeated", lists("--input"), new Map())
    .option("--file <name=path>", "replaces a side file; may be repeated", pairs("--file"), new Map())
    .option("--env <name=value>", "environment of the job's code; may be repeated", pairs("--env"), new Map())
    .option("--work-dir <dir>", "where state and overflow go (default: beside the output)")
    .option(
      "--skip-bad <n>",
      "put up to n bad records aside instead of failing",
      count("--skip-bad", 0, Number.MAX_SAFE_INTEGER),
      0,
    )
    .option("--json", "events and the summary as JSON lines on standard error", false)
    .option("--quiet", "no progress and no summary", false)
    .option("--resume", "go on where a crashed or failed run of this output stopped", false)
    .option("--overwrite", "replace a folder that Millrace published", false);
}

function count(name: string, min: number, max: number): (text: string) => number {
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

function size(name: string): (text: string) => number {
  return (text) => explained(() => parseSize(text, name));
}

function time(name: string): (text: string) => number {
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
function pairs(option: string): (text: string, previous: ReadonlyMap<string, string>) => ReadonlyMap<string, string> {
  return (text, previous) => {
    const [name, value] = split(option, text);
    if (previous.has(name)) throw new InvalidArgumentError(`${option} ${name} is given twice.`);
    return new Map([...previous, [name, value]]);
  };
}

function lists(
  option: string,
): (text: string, previous: ReadonlyMap<string, readonly string[]>) => ReadonlyMap<string, readonly string[]> {
  return (text, previous) => {
    const [name, value] = split(option, text);
    return new Map([...previous, [name, [...(previous.get(name) ?? []), value]]]);
  };
}

function split(option: string, text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError(`${option} takes NAME=VALUE, not ${JSON.stringify(text)}.`);
  return [text.slice(0, at), text.slice(at + 1)];
}
