// What a user can do about a failed job: commands to copy.
import type { JobHandle } from "../local.ts";
import type { JobView } from "../schedule/step.ts";
import type { RunFlags } from "./options.ts";

export interface HintsOptions {
  readonly view: JobView;
  readonly handle: JobHandle;
  readonly job: string;
  readonly inputs: readonly string[];
  readonly flags: RunFlags;
}

export function failureHints({ view, job, inputs, flags }: HintsOptions): string[] {
  const hints: string[] = [];
  const where = view.reason?.where;
  const isOfRecord = where !== undefined && /:\d+$/.test(where);
  if (isOfRecord) {
    hints.push(`run this record again:  millrace replay ${quoted(job)} ${quoted(where)}${replayWords(where, flags)}`);
    if (flags.skipBad === 0) hints.push("put bad records aside:  --skip-bad N");
  }
  if (flags.output !== undefined) {
    hints.push(`go on when it is mended:  ${commandLine(job, inputs, flags)} --resume`);
  }
  return hints;
}

/** What the job needs, as it was given. */
function replayWords(where: string, flags: RunFlags): string {
  const words: string[] = [];
  const path = where.replace(/:\d+$/, "");
  // A folder or glob may hold files of several inputs' kinds: then replay asks.
  const input = [...flags.input].find(([, paths]) => paths.includes(path))?.[0];
  if (input !== undefined) words.push("--input", quoted(input));
  for (const [name, value] of flags.param) words.push("--param", quoted(`${name}=${value}`));
  for (const [name, file] of flags.file) words.push("--file", quoted(`${name}=${file}`));
  for (const [name, value] of flags.env) words.push("--env", quoted(`${name}=${value}`));
  return words.map((word) => ` ${word}`).join("");
}

/** The command as it was given, in the words a shell takes. */
export function commandLine(job: string, inputs: readonly string[], flags: RunFlags): string {
  const words = ["millrace", "run", quoted(job), ...inputs.map(quoted)];
  for (const [name, paths] of flags.input) for (const path of paths) words.push("--input", quoted(`${name}=${path}`));
  for (const [name, path] of flags.file) words.push("--file", quoted(`${name}=${path}`));
  for (const [name, value] of flags.param) words.push("--param", quoted(`${name}=${value}`));
  for (const [name, value] of flags.env) words.push("--env", quoted(`${name}=${value}`));
  if (flags.output !== undefined) words.push("-o", quoted(flags.output));
  if (flags.workDir !== undefined) words.push("--work-dir", quoted(flags.workDir));
  if (flags.reducers !== undefined) words.push("--reducers", String(flags.reducers));
  if (flags.splitSize !== undefined) words.push("--split-size", String(flags.splitSize));
  if (flags.skipBad > 0) words.push("--skip-bad", String(flags.skipBad));
  return words.join(" ");
}

/** As a shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
