// The options of `run()`, checked as the command line checks its own: types say what they are, and nothing says that
// they were looked at. Paths are made absolute at once, as the program may go to another folder while it waits.
import { resolve } from "node:path";
import { unreachable } from "../../base/assert.ts";
import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { outputPath, refuseNoPath } from "../../base/paths.ts";
import { parseDuration, parseInterval, parseSize } from "../../base/units.ts";
import { parseWords } from "../../base/words.ts";
import { type OfRun, type RunOption, runOption, runOptionNames, type runOptions } from "./option-table.ts";
import type { Checked, RunValues } from "./option-values.ts";

/** What a kind's values are as they are given to `run()`. */
interface Given extends Omit<Checked, "size" | "duration" | "interval" | "inputs"> {
  readonly inputs: string | readonly string[] | Readonly<Record<string, string | readonly string[]>>;
  readonly size: string;
  readonly duration: string;
  readonly interval: string;
}

/** `RunOptions` of any job. */
export type AnyRunOptions = { readonly inputs: Given["inputs"] } & {
  readonly [N in Exclude<OfRun, "inputs">]?: Given[(typeof runOptions)[N]["kind"]];
};

/** The same, checked: sizes in bytes, times in milliseconds. */
export interface CheckedRunOptions extends RunValues {
  readonly inputs: Checked["inputs"];
  readonly params?: unknown;
}

type Check = (name: string, value: unknown) => unknown;

/** By kind. */
function checkOf(option: RunOption): Check {
  switch (option.kind) {
    case "inputs":
      return inputPaths;
    case "params":
      return (_, value) => value; // as the job declares them
    case "output":
    case "folder":
      return (name, value) => outputPath(path(name, value));
    case "directory":
    case "file":
      return (name, value) => resolve(path(name, value));
    case "module":
      return path; // may be a URL
    case "program":
      return commandLine;
    case "address":
      return word;
    case "count":
      return wholeNumber(option.min, option.max);
    case "size":
      return measured(parseSize, 'a size as text, like "2GB"');
    case "duration":
      return measured(parseDuration, 'a time as text, like "10m"');
    case "interval":
      return measured(parseInterval, 'a time as text, like "30s", or "off"');
    case "paths":
      return (name, value) => words(name, value, (each, given) => resolve(path(each, given)));
    case "variables":
      return (name, value) => words(name, value, variable);
    case "flag":
      return flag;
    case "choice":
      return oneOf(option.choices);
    case "signal":
      return (name, value) => (value instanceof AbortSignal ? value : refuse(name, "an AbortSignal", value));
    case "callback":
      return (name, value) => (typeof value === "function" ? value : refuse(name, "a function", value));
    default:
      return unreachable(option);
  }
}

/**
 * One value, as a program or a file writes it, checked; paths become absolute from the working directory. Throws
 * `wrong-usage`.
 */
export function checkedOption(option: RunOption, name: string, value: unknown): unknown {
  return checkOf(option)(name, value);
}

const namesOfRun = runOptionNames.filter((name) => runOption(name).isOfCommand !== true);

/** With its paths absolute, but for those of inputs, which are of `directory`. Throws `wrong-usage`. */
export function checkedRunOptions(given: unknown): CheckedRunOptions {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    refuse("the second argument of run", "an object with inputs", given);
  const checked: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given as object)) {
    const known = namesOfRun.find((each) => each === name);
    if (known === undefined) {
      throw new MillraceError(
        "wrong-usage",
        `run has no option ${JSON.stringify(name)}${didYouMean(name, namesOfRun)}`,
      );
    }
    if (value !== undefined) checked[name] = checkedOption(runOption(known), name, value);
  }
  if (checked["inputs"] === undefined) refuse("inputs", inputsAre, undefined);
  return checked as unknown as CheckedRunOptions;
}

const inputsAre = "a path, an array of paths, or an object of these by the names of the job's inputs";

function inputPaths(name: string, value: unknown): unknown {
  const paths = (what: string, given: unknown) => {
    if (typeof given === "string") return [path(what, given)];
    if (!Array.isArray(given)) refuse(what, "a path, or an array of paths", given);
    return (given as unknown[]).map((each) => path(`a path in ${what}`, each));
  };
  if (typeof value === "string" || Array.isArray(value)) return paths(name, value);
  if (typeof value !== "object" || value === null) refuse(name, inputsAre, value);
  return Object.fromEntries(Object.entries(value as object).map(([key, list]) => [key, paths(`inputs.${key}`, list)]));
}

function words(name: string, value: unknown, check: (name: string, value: unknown) => string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    refuse(name, "an object of texts by name", value);
  const entries = Object.entries(value as object).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries.map(([key, each]) => [key, check(`${name}.${key}`, each)]));
}

function variable(name: string, value: unknown): string {
  if (!/^env\.[^\s=\0]+$/.test(name)) refuse("env", "an object of texts by the names of variables", name.slice(4));
  const text = typeof value === "string" ? value : refuse(name, "text", value);
  return text.includes("\0") ? refuse(name, "text without NUL bytes", value) : text;
}

function path(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : refuse(name, "a path", value);
  refuseNoPath(name, text);
  if (text === "-") {
    throw new MillraceError(
      "wrong-usage",
      `${name} is "-", a stream of a command line: give ./- if it is a file's name`,
    );
  }
  return text;
}

function word(name: string, value: unknown): string {
  return typeof value === "string" && /^[^\s\0]+$/.test(value) ? value : refuse(name, "an address", value);
}

function commandLine(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : refuse(name, "a program and its arguments", value);
  parseWords(text, name);
  return text;
}

function wholeNumber(min: number, max: number): Check {
  return (name, value) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    const most = max === Number.MAX_SAFE_INTEGER ? "" : ` to ${max}`;
    return refuse(name, `a whole number from ${min}${most}`, value);
  };
}

function measured(parse: (text: string, what: string) => number, wanted: string): Check {
  return (name, value) => parse(typeof value === "string" ? value : refuse(name, wanted, value), name);
}

function oneOf(choices: readonly string[]): Check {
  return (name, value) =>
    choices.some((choice) => choice === value) ? value : refuse(name, choices.join(" or "), value);
}

function flag(name: string, value: unknown): boolean {
  return typeof value === "boolean" ? value : refuse(name, "true or false", value);
}

function refuse(name: string, wanted: string, value: unknown): never {
  throw new MillraceError("wrong-usage", `${name} is ${wanted}, not ${excerptOf(value)}`);
}
