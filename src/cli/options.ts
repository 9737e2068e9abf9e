// The options that commands share: those of `run`, `plan`, `test` and `sim`, which are made of the table of run
// options, and those of a cluster's commands. Their values are checked by arguments.ts.
import { type Command, Option } from "commander";
import { unreachable } from "../base/assert.ts";
import { parseSize } from "../base/units.ts";
import {
  flagOf,
  type OfCommand,
  type OptionGroup,
  optionGroups,
  type RunOption,
  runOption,
  runOptionNames,
} from "../engine/run/option-table.ts";
import type { FromFile, RunFlags } from "../engine/run/option-values.ts";
import {
  address,
  addressOrNone,
  choice,
  count,
  delimiter,
  folder,
  interval,
  namedPath,
  namedPaths,
  output,
  pairs,
  path,
  program,
  size,
  time,
  variables,
  word,
} from "./arguments.ts";

/** The partitions of `sim`, where the size of the input would give one: a simulation of one reduce would miss much. */
export const simPartitions = 4;
/** How much of the input `sim` uses by default. */
export const sampleBytes = parseSize("1MB", "--sample");

/** The options of `sim`. */
export interface SimFlags
  extends FromFile,
    Pick<RunFlags, "input" | "param" | "file" | "env" | "reducers" | "decompress" | "skipBad" | "json"> {
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

/** The options that were made of the table. */
const names = new WeakMap<Option, OfCommand>();

/** The name in the table of a command's option; undefined for one that is not of it. */
export function nameOf(option: Option): OfCommand | undefined {
  return names.get(option);
}

export function optionOf(name: OfCommand, otherHelp?: string, heading?: string): Option {
  const given = runOption(name);
  const { short, value, help, shownDefault, group } = given.flag!;
  const flags = `${short === undefined ? "" : `${short}, `}${flagOf(name)}${value === undefined ? "" : ` ${value}`}`;
  const option = new Option(flags, otherHelp ?? help).helpGroup(heading ?? optionGroups[group]);
  const parse = parserOf(given, flagOf(name));
  names.set(option, name);
  // Commander takes --no-x for the opposite of --x, which there is none of.
  option.negate = false;
  if (parse !== undefined) option.argParser(parse as (text: string, previous: unknown) => unknown);
  const fallback = defaultOf(given);
  return fallback === undefined ? option : option.default(fallback, shownDefault);
}

/** Undefined: an option without a value. */
function parserOf(option: RunOption, flag: string) {
  switch (option.kind) {
    case "flag":
      return undefined;
    case "choice":
      return choice(flag, option.choices);
    case "count":
      return count(flag, option.min, option.max);
    case "size":
      return size(flag);
    case "duration":
      return time(flag);
    case "interval":
      return interval(flag);
    case "output":
      return output;
    case "folder":
      return folder(flag);
    case "directory":
    case "file":
      return path(flag);
    case "program":
      return program(flag);
    case "address":
      return addressOrNone;
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
    case "callback":
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

/** Adds the options of `run` that `plan` has no use for: what is shown while a job runs, and where it runs. */
export function addRunningOptions(command: Command): Command {
  addFromTable(command, ["noProgress", "color"]);
  return addFromTable(command, optionsOf("cluster"));
}

/** Adds the options of the commands that guess a format, for what a user knows better. */
export function addFormatOptions(command: Command) {
  return command
    .addOption(
      new Option("--format <format>", "the format, where the guess is wrong").choices([
        "text",
        "ndjson",
        "csv",
        "tsv",
      ] as const),
    )
    .option("--delimiter <text>", "what separates cells, like ';', \\t or \\x01", delimiter);
}

/** Adds `--color` to all commands that lack it. */
export function addColourOption(millrace: Command): void {
  const option = optionOf("color").long;
  for (const command of millrace.commands) {
    if (command.options.some(({ long }) => long === option)) continue;
    const hasShown = command.options.some(({ helpGroupHeading }) => helpGroupHeading === optionGroups.shown);
    command.addOption(optionOf("color", undefined, hasShown ? optionGroups.shown : "Options:"));
  }
}

/** Adds the options of the commands that ask a master something. */
export function addMasterOptions(command: Command): Command {
  command.addOption(neededMaster());
  for (const name of ["tokenFile", "ca", "json", "noConfig"] as const)
    command.addOption(optionOf(name, undefined, "Options:"));
  return command;
}

/** `--master` of a command that is nothing without a cluster. */
export function neededMaster(): Option {
  const help =
    "the cluster's address, like https://m1:7070, or those of its masters with commas between (default: $MILLRACE_MASTER)";
  return optionOf("master", help, "Options:").argParser(address).makeOptionMandatory();
}

/** Adds what a store of several masters needs beside its address. */
export function addStoreOptions(command: Command): Command {
  return command
    .option("--state-ca <file>", "certificate that those of etcd's members are signed by (PEM)", path("--state-ca"))
    .option("--state-cert <file>", "certificate by which etcd knows this machine (PEM)", path("--state-cert"))
    .option("--state-key <file>", "its key (PEM)", path("--state-key"))
    .option("--state-user <name>", "a user of etcd", word("--state-user", "a name"))
    .option("--state-password-file <file>", "holds that user's password", path("--state-password-file"));
}

export interface StoreFlags {
  readonly stateCa?: string;
  readonly stateCert?: string;
  readonly stateKey?: string;
  readonly stateUser?: string;
  readonly statePasswordFile?: string;
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
  return addFromTable(command, ["json", "noConfig"]);
}

/** Adds the options of `sim`, which has machines of its own. */
export function addSimOptions(command: Command): Command {
  const helps = {
    reducers: `partitions, one part file each (default: the job's, else ${simPartitions})`,
    skipBad: "put up to n bad records aside instead of failing",
  };
  addFromTable(command, optionsOf("job"), helps);
  command.addOption(optionOf("decompress", undefined, optionGroups.job));
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
    .addOption(optionOf("json"))
    .addOption(optionOf("noConfig"));
}

/** `-o -` is standard output, as without the option. */
export function withStandardOutput(flags: RunFlags): RunFlags {
  const { output: given, ...others } = flags;
  return given === undefined || given === "-" ? others : flags;
}
