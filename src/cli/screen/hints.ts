// Says what a user can do about a failed job, with commands to copy.
import { dirname } from "node:path";
import { meaningOf } from "../../base/error-codes.ts";
import { reduceOfKey } from "../../base/ids.ts";
import { isUrl } from "../../base/paths.ts";
import { unprintable } from "../../base/printable.ts";
import { durationWord, sizeWord } from "../../base/units.ts";
import type { JobHandle } from "../../engine/engine.ts";
import { flagOf, type OfCommand, runOption, runOptionNames } from "../../engine/run/option-table.ts";
import { attributeOf, type RunFlags } from "../../engine/run/option-values.ts";
import type { JobView } from "../../protocol/view.ts";
import { noCluster } from "../arguments.ts";
import { callersEnvironment } from "../callers-environment.ts";

export interface HintsOptions {
  readonly view: JobView;
  readonly handle: JobHandle;
  readonly job: string;
  readonly inputs: readonly string[];
  readonly flags: RunFlags;
  /** Options that have their values from elsewhere, and will again. */
  readonly settings: ReadonlySet<OfCommand>;
  /** Whether one of them would send the job to a cluster, and the command says that it runs here. */
  readonly isKeptHere: boolean;
}

const skipBadAdvised = 10;

export async function failureHints(options: HintsOptions): Promise<string[]> {
  const replay = await keyReplayLine(options);
  const hints = [...(replay === undefined ? [] : [`run this key again:  ${replay}`]), ...commandHints(options)];
  const again = envHint(options.flags.env);
  return again === undefined || !hints.some((hint) => hint.includes(" --env ")) ? hints : [...hints, again];
}

function commandHints(options: HintsOptions): string[] {
  const { view, handle, job, flags } = options;
  const hints: string[] = [];
  const { where, aside, code = "" } = view.reason ?? {};
  const command = commandLine(options);
  if (where !== undefined && aside !== undefined) {
    // Standard input can't be read again.
    if (!where.startsWith("-:")) hints.push(`run this record again:  ${replayLine(job, where, flags)}`);
    // A record on which a task hangs is not offered to be put aside, as it might have ended. For a record that takes
    // many lines along, the message itself says what helps.
    if (flags.skipBad === 0 && code !== "task-timeout" && aside <= skipBadAdvised) {
      const folder = flags.output === undefined ? " --dead-letters bad-records" : "";
      hints.push(`put bad records aside:  ${command} --skip-bad ${skipBadAdvised}${folder}`);
    }
  }
  if (flags.master !== undefined) return [...hints, ...clusterHints(view, code, command, flags)];
  if (flags.output === undefined) return hints;
  if (needsMending(code)) hints.push(startOver(command));
  if (!handle.isKept) return hints;
  if (meaningOf(code).startsOver !== true) hints.push(`${goOn(code)}:  ${command} --resume`);
  hints.push(`what it has done is kept until a run with this output succeeds; to remove it:  ${cleanLine(flags)}`);
  return hints;
}

function startOver(command: string): string {
  return `after fixing the job or its input, start over:  ${command}`;
}

function goOn(code: string): string {
  return needsMending(code)
    ? "with both unchanged, go on where it stopped"
    : "after fixing that, go on where it stopped";
}

/**
 * True for a failure of the job's code or of its data. What is done already was done with these, so a run with others
 * has to start over: `--resume` compares them, and refuses.
 */
function needsMending(code: string): boolean {
  return meaningOf(code).remedy === "mend";
}

/** Hints for a job on a cluster. The master keeps a failed job, and can go on with the winners that it has. */
function clusterHints({ job }: JobView, code: string, command: string, flags: RunFlags): string[] {
  const hints = [`what it printed:  millrace logs ${shortId(job)}${masterWords(flags)}`];
  if (needsMending(code)) hints.push(startOver(command));
  if (meaningOf(code).startsOver !== true)
    hints.push(`${goOn(code)}:  millrace retry ${shortId(job)}${masterWords(flags)}`);
  return hints;
}

/** The first digits of an id. Commands take any beginning that only one job has. */
export function shortId(job: string): string {
  return job.slice(0, 8);
}

/** The options that lead to the cluster, each with a space in front. */
export function masterWords(flags: ClusterFlags): string {
  return clusterNames
    .map((name) =>
      optionWords(name, flags)
        .map((word) => ` ${word}`)
        .join(""),
    )
    .join("");
}
const clusterNames = ["master", "tokenFile", "ca"] as const;
type ClusterFlags = Pick<RunFlags, (typeof clusterNames)[number]>;

/** Lists and removes what this run has left, and what others have left beside it. */
function cleanLine({ output = "", workDir }: RunFlags): string {
  const folder = dirname(output);
  const words = [...(isUrl(output) || folder === "." ? [] : [quoted(folder)])];
  if (workDir !== undefined) words.push("--work-dir", quoted(workDir));
  return ["millrace clean", ...words, "--remove"].join(" ");
}

function replayLine(job: string, where: string, flags: RunFlags): string {
  const line = ["millrace", "replay", quoted(job), quoted(where)];
  const input = inputOf(where.slice(0, where.lastIndexOf(":")), flags.input);
  if (input !== undefined) line.push("--input", quoted(input));
  for (const name of ["params", "files", "env", "decompress"] as const) line.push(...optionWords(name, flags));
  return line.join(" ");
}

/** For an error in the reduce of a key: the command that runs this reduce again. */
async function keyReplayLine({ view, job, inputs, flags }: HintsOptions): Promise<string | undefined> {
  const { where = "" } = view.reason ?? {};
  if (!where.startsWith(reduceOfKey)) return undefined;
  const { isReadOnce } = await import("../../input/spool.ts");
  // What was piped in can't be read again.
  if ([...inputs, ...[...flags.input.values()].flat()].some(isReadOnce)) return undefined;
  const { keyWord } = await import("../replay/key-word.ts");
  const key = keyWord(where.slice(reduceOfKey.length));
  const line = ["millrace", "replay", quoted(job), ...inputs.map(quoted), "--key", quoted(key)];
  for (const name of ["inputs", "params", "files", "env", "decompress", "skipBad"] as const)
    line.push(...optionWords(name, flags));
  return line.join(" ");
}

/** The named input that a file belongs to; undefined where the command line allows more than one. */
function inputOf(file: string, inputs: RunFlags["input"]): string | undefined {
  const names = [...inputs].flatMap(([name, paths]) =>
    paths.some((path) => file === path || file.startsWith(fixedPart(path))) ? [name] : [],
  );
  return names.length === 1 ? names[0] : undefined;
}

/** "logs/" of "logs/*.gz" and of "logs": what the names of all its files begin with. */
function fixedPart(path: string): string {
  const wild = path.search(/[*?[{]/);
  return wild < 0 ? (path.endsWith("/") ? path : `${path}/`) : path.slice(0, wild);
}

/** Variables by name only: values may be secrets, which must not reach screens and logs. */
function envWords(env: ReadonlyMap<string, string>): string[] {
  return [...env.keys()].flatMap((name) => ["--env", quoted(name)]);
}

/** Says what to set so that `envWords` means the same again; undefined: nothing. */
export function envHint(env: ReadonlyMap<string, string>): string | undefined {
  const others = [...env].filter(([name, value]) => callersEnvironment[name] !== value).map(([name]) => name);
  if (others.length === 0) return undefined;
  return `values of --env are not repeated here: set ${others.join(", ")} in your shell first, or give --env ${others[0]}=VALUE again`;
}

/** The option once per pair. */
function pairWords(option: string, pairs: ReadonlyMap<string, string>): string[] {
  return [...pairs].flatMap(([name, value]) => [option, quoted(`${name}=${value}`)]);
}

/** The command as it was given, in the words a shell takes. */
function commandLine({ job, inputs, flags, settings, isKeptHere }: HintsOptions): string {
  const line = ["millrace", "run", quoted(job), ...inputs.map(quoted)];
  for (const name of repeated) if (!settings.has(name)) line.push(...optionWords(name, flags));
  if (isKeptHere) line.push(flagOf("master"), noCluster);
  return line.join(" ") + masterWords(flags);
}

/** What a command that is to do the same says again. */
const repeated = runOptionNames.filter((name): name is OfCommand => {
  const { flag } = runOption(name);
  return flag !== undefined && flag.isOfOneRun !== true && !clusterNames.some((each) => each === name);
});

/** An option as it stands on a command line; nothing where it is not given, or is the default. */
export function optionWords(name: OfCommand, flags: Partial<RunFlags>): string[] {
  const option = runOption(name);
  // Whole names, so that a command that is copied into a script says what it does.
  const flag = name === "output" ? "-o" : flagOf(name);
  const value: unknown = flags[attributeOf(name)];
  if (value === undefined || value === false || value === option.default) return [];
  switch (option.kind) {
    case "flag":
      return [flag];
    case "duration":
      return [flag, durationWord(Number(value))];
    case "interval":
      return [flag, Number(value) === 0 ? "off" : durationWord(Number(value))];
    case "size":
      return [flag, sizeWord(Number(value))];
    case "inputs":
      return [...(value as RunFlags["input"])].flatMap(([key, paths]) =>
        paths.flatMap((path) => [flag, quoted(`${key}=${path}`)]),
      );
    case "params":
    case "paths":
      return pairWords(flag, value as RunFlags["param"]);
    case "variables":
      return envWords(value as RunFlags["env"]);
    default:
      return [flag, quoted(String(value))];
  }
}

/** A word quoted for a shell. Control characters are written by number, so that a name can't control the terminal. */
export function quoted(word: string): string {
  if (word.search(unprintable) >= 0) {
    const escaped = word.replace(/[\\']/g, "\\$&").replace(unprintable, (c) => {
      const code = c.charCodeAt(0);
      return code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    });
    return `$'${escaped}'`;
  }
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
