// The options that `run`, `plan`, `test` and `sim` share, from words on the command line to checked values.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { unreachable } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import { isUrl, refuseNoPath } from "../base/paths.ts";
import { parseDuration, parseSize } from "../base/units.ts";
import {
  flagOf,
  type OfCommand,
  type OptionGroup,
  optionGroups,
  type RunFlags,
  type RunOption,
  runOption,
  runOptionNames,
} from "../engine/run/option-table.ts";
import { parseAddress } from "../rpc/client/address.ts";
import { parseListen } from "../rpc/server/listen-address.ts";

/** The partitions of `sim`, where the size of the input would give one: a simulation of one reduce would miss much. */
export const simPartitions = 4;
/** How much of the input `sim` uses by default. */
export const sampleBytes = parseSize("1MB", "--sample");

/** The options of `sim`. */
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

/** Adds options of the table, each group under its heading. `helps`: other sentences than the table's. */
function addFromTable(
  command: Command,
  names: readonly OfCommand[],
  helps: { readonly [N in OfCommand]?: string } = {},
): Command {
  for (const name of names) command.addOption(optionOf(name, helps[name]));
  return command;
}

export function optionOf(name: OfCommand, otherHelp?: string, heading?: string): Option {
  const given = runOption(name);
  const { short, value, help, shownDefault, group } = given.flag!;
  const flags = `${short === undefined ? "" : `${short}, `}${flagOf(name)}${value === undefined ? "" : ` ${value}`}`;
  const option = new Option(flags, otherHelp ?? help).helpGroup(heading ?? optionGroups[group]);
  const parse = parserOf(given, flagOf(name));
  if (parse !== undefined) option.argParser(parse as (text: string, previous: unknown) => unknown);
  const fallback = defaultOf(given);
  return fallback === undefined ? option : option.default(fallback, shownDefault);
}

/** Undefined: an option without a value. */
function parserOf(option: RunOption, flag: string) {
  switch (option.kind) {
    case "flag":
      return undefined;
    case "count":
      return count(flag, option.min, option.max);
    case "size":
      return size(flag);
    case "duration":
      return time(flag);
    case "output":
      return output;
    case "folder":
      return folder(flag);
    case "directory":
    case "file":
      return path(flag);
    case "address":
      return address;
    case "inputs":
      return namedPaths(flag);
    case "params":
      return pairs(flag);
    case "paths":
      return namedPath(flag);
    case "variables":
      return variables;
    case "module":
    case "signal":
      throw new Error(`millrace bug: ${flag} is no option of a command`);
    default:
      return unreachable(option);
  }
}

function defaultOf(option: RunOption): unknown {
  switch (option.kind) {
    case "flag":
      return false;
    case "inputs":
    case "params":
    case "paths":
    case "variables":
      return new Map();
    default:
      return option.default;
  }
}

/** The table's options of a group, in its order. */
function optionsOf(...groups: readonly OptionGroup[]): OfCommand[] {
  return runOptionNames.filter((name): name is OfCommand => {
    const group = runOption(name).flag?.group;
    return group !== undefined && groups.includes(group);
  });
}

/** Adds the options of `run` and `plan`: `plan` takes what `run` would get. */
export function addRunOptions(command: Command): Command {
  addFromTable(command, optionsOf("output"));
  addJobOptions(command);
  return addFromTable(command, ["quiet"]);
}

/** Adds the options of `run` that make it run on a cluster. */
export function addClusterOptions(command: Command): Command {
  return addFromTable(command, optionsOf("cluster"));
}

/** Adds the options of the commands that ask a master something. */
export function addMasterOptions(command: Command): Command {
  command.requiredOption("--master <url>", "the cluster's address, like https://m1:7070", address);
  for (const name of ["tokenFile", "ca", "json"] as const) command.addOption(optionOf(name, undefined, "Options:"));
  return command;
}

/** Adds the options of `master` and `worker`. */
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

/** Adds the options of a job, which `test` takes too, as it publishes nothing. */
export function addJobOptions(command: Command): Command {
  addFromTable(command, optionsOf("job", "machine", "failure"));
  command.addHelpOption(new Option("-h, --help", "this text").helpGroup(optionGroups.shown));
  return addFromTable(command, ["json"]);
}

/** Adds the options of `sim`, which has machines of its own. */
export function addSimOptions(command: Command): Command {
  const helps = {
    reducers: `partitions, one part file each (default: the job's, else ${simPartitions})`,
    skipBad: "put up to n bad records aside instead of failing",
  };
  addFromTable(command, optionsOf("job"), helps);
  command.addOption(optionOf("skipBad", helps.skipBad, optionGroups.job));
  return command
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
    .optionsGroup(optionGroups.shown)
    .addHelpOption(new Option("-h, --help", "this text").helpGroup(optionGroups.shown))
    .option("--verbose", "all that happens, in virtual time", false)
    .addOption(optionOf("json"));
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

/**
 * What begins with a hyphen is an option whose predecessor lacks its value (`-o $OUT --json`), or stands for a stream
 * elsewhere.
 */
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

/** The address of a cluster, as it was given. */
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
