// Words of a command line, each of them checked and turned into the value of an option or an argument. A wrong one is
// an InvalidArgumentError, which commander shows with the option's usage.
import { resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { MillraceError } from "../base/error.ts";
import { isUrl, refuseNoPath } from "../base/paths.ts";
import { parseDuration, parseInterval, parseSize } from "../base/units.ts";
import { parseWords } from "../base/words.ts";
import { parseAddresses } from "../rpc/client/address.ts";
import { parseListen } from "../rpc/server/listen-address.ts";
import { type Notice, parseNotice } from "../worker/node/notice.ts";

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

/** One of a few words. */
export function choice(name: string, choices: readonly string[]): (text: string) => string {
  return (text) => {
    if (!choices.includes(text))
      throw new InvalidArgumentError(`${name} takes ${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}.`);
    return text;
  };
}

export function size(name: string): (text: string) => number {
  return (text) => explained(() => parseSize(text, name));
}

export function time(name: string): (text: string) => number {
  return (text) => explained(() => parseDuration(text, name));
}

export function interval(name: string): (text: string) => number {
  return (text) => explained(() => parseInterval(text, name));
}

export function notice(text: string): Notice {
  return explained(() => parseNotice(text));
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

/** One character or more, of which a shell's words don't hold all: so \t and \x01 stand for theirs. */
export function delimiter(text: string): string {
  const meant = text.replace(/\\(?:t|x([0-9a-fA-F]{2}))/g, (_, digits?: string) =>
    digits === undefined ? "\t" : String.fromCharCode(Number.parseInt(digits, 16)),
  );
  if (meant === "" || /[\n\r"\0]/.test(meant))
    throw new InvalidArgumentError(
      `--delimiter takes text that separates cells, like ';', \\t or \\x01, not ${JSON.stringify(text)}.`,
    );
  return meant;
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
    throw new InvalidArgumentError(`--env takes NAME=VALUE or NAME, and ${JSON.stringify(name)} is not a name.`);
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

/** name=path; the same name again is one more path. */
export function namedPaths(
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

/** Whether a state is a store that several masters reach, instead of a directory. */
export function isSharedStore(state: string): boolean {
  return /^etcd:\/\//i.test(state);
}

/** The directory of a master's state, or the name of a store. */
export function state(text: string): string {
  return isSharedStore(text) ? text : path("--state")(text);
}

/** A folder as it was given, for messages: it is resolved when the run begins. */
export function folder(option: string): (text: string) => string {
  return (text) => plainPath(option, text);
}

/** The same, or standard output. */
export function output(text: string): string {
  return text === "-" ? text : plainPath("--output", text);
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

/** A program and its arguments, as a shell would part them. */
export function program(option: string): (text: string) => string {
  return (text) => {
    explained(() => parseWords(text, option));
    return text;
  };
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

/** The address of a cluster, or those of its masters with commas between, as they were given. */
export function address(text: string): string {
  explained(() => parseAddresses(text));
  return word("--master", "an address")(text);
}

/** What stands for no cluster where another place names one. */
export const noCluster = "none";

/** The same, or none: the machine that the command runs on. */
export function addressOrNone(text: string): string {
  return text === noCluster ? text : address(text);
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

/** A name, or name=path; as often as the option is given. */
export interface NameOrPath {
  readonly name: string;
  /** Undefined: only the name is given. */
  readonly path: string | undefined;
}

export function namesOrPaths(
  option: string,
): (text: string, previous: readonly NameOrPath[] | undefined) => readonly NameOrPath[] {
  const parse = (text: string): NameOrPath => {
    if (!text.includes("=")) return { name: word(option, "a name, or NAME=PATH")(text), path: undefined };
    const [name, path] = split(option, text);
    explained(() => refuseNoPath(`the path of ${option} ${name}`, path));
    return { name, path };
  };
  return (text, previous = []) => [...previous, parse(text)];
}

/** Any text, also an empty one. */
export function plain(text: string): string {
  return text;
}
