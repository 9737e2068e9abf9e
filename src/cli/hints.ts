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
    const params = [...flags.param].map(([name, value]) => ` --param ${quote(`${name}=${value}`)}`).join("");
    hints.push(`run this record again:  millrace replay ${quote(job)} ${quote(where)}${params}`);
    if (flags.skipBad === 0) hints.push("put bad records aside:  --skip-bad N");
  }
  if (flags.output !== undefined) {
    hints.push(`go on when it is mended:  ${commandLine(job, inputs, flags)} --resume`);
  }
  return hints;
}

/** The command as it was given, in the words a shell takes. */
export function commandLine(job: string, inputs: readonly string[], flags: RunFlags): string {
  const words = ["millrace", "run", quote(job), ...inputs.map(quote)];
  for (const [name, paths] of flags.input) for (const path of paths) words.push("--input", quote(`${name}=${path}`));
  for (const [name, path] of flags.file) words.push("--file", quote(`${name}=${path}`));
  for (const [name, value] of flags.param) words.push("--param", quote(`${name}=${value}`));
  for (const [name, value] of flags.env) words.push("--env", quote(`${name}=${value}`));
  if (flags.output !== undefined) words.push("-o", quote(flags.output));
  if (flags.workDir !== undefined) words.push("--work-dir", quote(flags.workDir));
  if (flags.reducers !== undefined) words.push("--reducers", String(flags.reducers));
  if (flags.splitSize !== undefined) words.push("--split-size", String(flags.splitSize));
  if (flags.skipBad > 0) words.push("--skip-bad", String(flags.skipBad));
  return words.join(" ");
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
