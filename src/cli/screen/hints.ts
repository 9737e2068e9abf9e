// Says what a user can do about a failed job, with commands to copy.
import { meaningOf } from "../../base/error-codes.ts";
import { limits } from "../../base/limits.ts";
import type { JobHandle } from "../../engine/engine.ts";
import type { JobView } from "../../protocol/view.ts";
import { callersEnvironment } from "../callers-environment.ts";
import type { RunFlags } from "../options.ts";
import { unprintable } from "./error-text.ts";

export interface HintsOptions {
  readonly view: JobView;
  readonly handle: JobHandle;
  readonly job: string;
  readonly inputs: readonly string[];
  readonly flags: RunFlags;
}

const skipBadAdvised = 10;

export function failureHints(options: HintsOptions): string[] {
  const hints = commandHints(options);
  const again = envHint(options.flags.env);
  return again === undefined || !hints.some((hint) => hint.includes(" --env ")) ? hints : [...hints, again];
}

function commandHints({ view, job, inputs, flags }: HintsOptions): string[] {
  const hints: string[] = [];
  const { where, aside, code = "" } = view.reason ?? {};
  const command = commandLine(job, inputs, flags);
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
  if (meaningOf(code).startsOver !== true) hints.push(`${goOn(code)}:  ${command} --resume`);
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
export function masterWords(flags: {
  readonly master?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly ca?: string | undefined;
}): string {
  const words: string[] = [];
  if (flags.master !== undefined) words.push("--master", quoted(flags.master));
  if (flags.tokenFile !== undefined) words.push("--token-file", quoted(flags.tokenFile));
  if (flags.ca !== undefined) words.push("--ca", quoted(flags.ca));
  return words.map((word) => ` ${word}`).join("");
}

function replayLine(job: string, where: string, flags: RunFlags): string {
  const words = ["millrace", "replay", quoted(job), quoted(where)];
  const input = inputOf(where.slice(0, where.lastIndexOf(":")), flags.input);
  if (input !== undefined) words.push("--input", quoted(input));
  words.push(...pairWords("--param", flags.param), ...pairWords("--file", flags.file), ...envWords(flags.env));
  return words.join(" ");
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
export function envWords(env: ReadonlyMap<string, string>): string[] {
  return [...env.keys()].flatMap((name) => ["--env", quoted(name)]);
}

/** Says what to set so that `envWords` means the same again; undefined: nothing. */
export function envHint(env: ReadonlyMap<string, string>): string | undefined {
  const others = [...env].filter(([name, value]) => callersEnvironment[name] !== value).map(([name]) => name);
  if (others.length === 0) return undefined;
  return `values of --env are not repeated here: set ${others.join(", ")} in your shell first, or give --env ${others[0]}=VALUE again`;
}

/** The option once per pair. */
export function pairWords(option: string, pairs: ReadonlyMap<string, string>): string[] {
  return [...pairs].flatMap(([name, value]) => [option, quoted(`${name}=${value}`)]);
}

/** The command as it was given, in the words a shell takes. */
export function commandLine(job: string, inputs: readonly string[], flags: RunFlags): string {
  const words = ["millrace", "run", quoted(job), ...inputs.map(quoted)];
  for (const [name, paths] of flags.input) for (const path of paths) words.push("--input", quoted(`${name}=${path}`));
  words.push(...pairWords("--file", flags.file), ...pairWords("--param", flags.param), ...envWords(flags.env));
  if (flags.output !== undefined) words.push("-o", quoted(flags.output));
  if (flags.deadLetters !== undefined) words.push("--dead-letters", quoted(flags.deadLetters));
  if (flags.workDir !== undefined) words.push("--work-dir", quoted(flags.workDir));
  if (flags.reducers !== undefined) words.push("--reducers", String(flags.reducers));
  if (flags.splitSize !== undefined) words.push("--split-size", String(flags.splitSize));
  if (flags.slots !== undefined) words.push("--slots", String(flags.slots));
  if (flags.memory !== undefined) words.push("--memory", String(flags.memory));
  if (flags.attempts !== limits.attemptsMax) words.push("--attempts", String(flags.attempts));
  if (flags.taskTimeout !== limits.taskTimeoutMs) words.push("--task-timeout", `${flags.taskTimeout}ms`);
  if (flags.taskLimit !== undefined) words.push("--task-limit", `${flags.taskLimit}ms`);
  if (flags.overwrite) words.push("--overwrite");
  if (flags.skipBad > 0) words.push("--skip-bad", String(flags.skipBad));
  if (flags.maxSlots !== undefined) words.push("--max-slots", String(flags.maxSlots));
  return words.join(" ") + masterWords(flags);
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
