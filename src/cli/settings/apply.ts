// Values of options that no option gives: from the environment, then from a file of settings. They are put into a
// command before its words are parsed, so that what is given there overrides them, and what is required may come from
// them.
import { type Command, InvalidArgumentError, type Option } from "commander";
import { MillraceError } from "../../base/error.ts";
import { flagOf, type OfCommand, runOption, runOptionNames } from "../../engine/run/option-table.ts";
import { addressOrNone, noCluster } from "../arguments.ts";
import { nameOf } from "../options.ts";
import { findSettings } from "./find.ts";

export interface Setting {
  readonly name: OfCommand;
  /** As a parsed command line has it; undefined where the variable is read later, by what needs it. */
  readonly value: unknown;
  /** As it was written. */
  readonly text: string;
  /** The variable, or the file. */
  readonly from: string;
  readonly source: "env" | "config";
}

/** What there was when a command was prepared. */
const prepared = new WeakMap<Command, readonly Setting[]>();
const ownerOf = new WeakMap<Option, Command>();

/** Prepares a command to be parsed. `words` are those of the command line. Throws `wrong-usage`. */
export async function applySettings(
  command: Command,
  words: readonly string[],
  env: Readonly<NodeJS.ProcessEnv> = process.env,
): Promise<void> {
  const names = new Set(command.options.map(nameOf));
  const ofVariables = variablesOf(env, names);
  const named = new Set(ofVariables.map(({ name }) => name));
  const ofFile = (await fileSettings(command, words)).filter(({ name }) => !named.has(name));
  const all = [...ofVariables, ...ofFile];
  prepared.set(command, all);
  for (const option of command.options) {
    ownerOf.set(option, command);
    const setting = all.find(({ name }) => name === nameOf(option));
    if (setting?.value === undefined || (setting.value === noCluster && option.mandatory)) continue;
    command.setOptionValueWithSource(option.attributeName(), setting.value, setting.source);
  }
}

/**
 * An empty variable is none, as an unset variable of a script leaves one. Only a command that has the option cares what
 * is in it.
 */
function variablesOf(env: Readonly<NodeJS.ProcessEnv>, names: ReadonlySet<OfCommand | undefined>): Setting[] {
  return commandNames.flatMap((name): Setting[] => {
    const { kind, variable = "" } = runOption(name);
    const text = env[variable] ?? "";
    if (text === "") return [];
    const value = kind === "address" && names.has(name) ? ofVariable(variable, text) : undefined;
    return [{ name, value, text, from: variable, source: "env" }];
  });
}

const commandNames = runOptionNames.filter((name): name is OfCommand => runOption(name).flag !== undefined);

function ofVariable(variable: string, text: string): string {
  try {
    return addressOrNone(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new MillraceError("wrong-usage", `the environment variable ${variable}: ${error.message}`);
  }
}

async function fileSettings(command: Command, words: readonly string[]): Promise<readonly Setting[]> {
  const noConfig = flagOf("noConfig");
  if (words.includes(noConfig) || !command.options.some(({ long }) => long === noConfig)) return [];
  const found = findSettings(workingDirectory());
  return found === undefined ? [] : (await import("./read.ts")).readSettings(found);
}

/** "/" where it is gone, which the command itself will tell of. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return "/";
  }
}

/**
 * Once the command is parsed: takes back what a file has for the other kind of run, or for a run with an output where
 * there is none, and what stands for no cluster. Unlike an option, a setting is for all runs, and not wrong where it
 * can't be used. What depends on the job is taken back once that is loaded (`fittingFlags`), by the names left here.
 */
export function settle(command: Command): void {
  const fromFile = new Set<OfCommand>();
  for (const option of command.options) {
    const name = nameOf(option);
    if (name === undefined || command.getOptionValueSource(option.attributeName()) !== "config") continue;
    if (fits(command, name) && hasPlace(command, name)) fromFile.add(name);
    else command.setOptionValueWithSource(option.attributeName(), option.defaultValue, "default");
  }
  if (fromFile.size > 0) command.setOptionValueWithSource("fromFile", fromFile, "config");
  if (masterOf(command) === noCluster) command.setOptionValueWithSource("master", undefined, "cli");
}

function fits(command: Command, name: OfCommand): boolean {
  return isFor(name, masterOf(command));
}

/** A command that publishes nothing, such as `test`, needs no place. */
function hasPlace(command: Command, name: OfCommand): boolean {
  const { inFileBeside } = runOption(name);
  const places = command.options.filter((option) => inFileBeside?.some((each) => each === nameOf(option)));
  return places.length === 0 || places.some((option) => isFolder(command.getOptionValue(option.attributeName())));
}

/** "-" is standard output. */
function isFolder(value: unknown): boolean {
  return value !== undefined && value !== "-";
}

function isFor(name: OfCommand, master: unknown): boolean {
  const { only } = runOption(name);
  return only === undefined || only === (master === undefined || master === noCluster ? "here" : "cluster");
}

function masterOf(command: Command): string | undefined {
  return command.opts<{ readonly master?: string }>().master;
}

/** Those that count for the command as it was parsed. */
export function settingsOf(command: Command): readonly Setting[] {
  return (prepared.get(command) ?? []).filter(({ name, value, source }) => {
    const option = command.options.find((each) => nameOf(each) === name);
    if (option === undefined) return false;
    const now = command.getOptionValueSource(option.attributeName());
    return (now === source || (value === undefined && now !== "cli")) && fits(command, name);
  });
}

/** Whether a setting names a cluster and the command line says that the job runs here, which a hint has to repeat. */
export function isKeptHere(command: Command): boolean {
  const named = prepared.get(command)?.find(({ name }) => name === "master")?.text ?? noCluster;
  return named !== noCluster && masterOf(command) === undefined;
}

/** The same, and those that `run` would have beside them: for a command that says what `run` would do. */
export function settingsOfRun(command: Command): readonly Setting[] {
  const all = prepared.get(command) ?? [];
  const master = all.find(({ name }) => name === "master")?.text;
  const own = settingsOf(command);
  const has = (name: OfCommand) => command.options.some((option) => nameOf(option) === name);
  return all.filter((each) => own.includes(each) || (!has(each.name) && isFor(each.name, master)));
}

/** What the help says of an option that has a value from elsewhere: " (now: 4, from millrace.json)". */
export function settingText(option: Option): string {
  const command = ownerOf.get(option);
  const setting = command === undefined ? undefined : settingsOf(command).find(({ name }) => name === nameOf(option));
  return setting === undefined ? "" : ` (now: ${setting.text}, from ${setting.from})`;
}
