// How an error looks on the screen: what, where, what to do. No stack traces of ours unless something is a bug.
import { sep } from "node:path";
import pc from "picocolors";
import { MillraceError, systemCode } from "../base/error.ts";
import type { FailureText } from "../rpc/messages.ts";

/** Removes what could move the cursor or change colours: data of a user's must not write to the terminal by itself. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Places in the job's own sources as the shell's user would type them: relative where they are below the working directory. */
export function fromHere(text: string, directory: string = process.cwd()): string {
  const prefix = directory.endsWith(sep) ? directory : directory + sep;
  return text.replaceAll(`(${prefix}`, "(").replaceAll(`at ${prefix}`, "at ");
}

/** The lines for an attempt's failure, as the summary and the final error show them. */
export function failureLines(failure: FailureText): string[] {
  const lines = [printable(fromHere(failure.message))];
  if (failure.where !== undefined) lines.push(`  at ${printable(failure.where)}`);
  if (failure.excerpt !== undefined && failure.excerpt !== "") lines.push(pc.dim(`  | ${printable(failure.excerpt)}`));
  if (failure.stack !== undefined)
    for (const line of fromHere(failure.stack).split("\n")) lines.push(pc.dim(`  ${printable(line.trim())}`));
  return lines;
}

/** The lines for whatever was thrown. Only a bug of ours shows its stack. */
export function errorLines(thrown: unknown): string[] {
  // Not an error: it is what was asked for.
  if (thrown instanceof MillraceError && thrown.code === "cancelled") return [printable(thrown.message)];
  if (thrown instanceof MillraceError)
    return [`${pc.red("error")} ${printable(fromHere(thrown.message))} ${pc.dim(`[${thrown.code}]`)}`];
  // The operating system's word (a full disk, too many open files), for whatever was not said better before.
  if (thrown instanceof Error && systemCode(thrown) !== undefined)
    return [`${pc.red("error")} ${printable(thrown.message)}`];
  if (thrown instanceof Error)
    return [`${pc.red("error")} ${printable(thrown.message)}`, pc.dim(printable(thrown.stack ?? ""))];
  return [`${pc.red("error")} ${printable(String(thrown))}`];
}

/** The same for scripts (`--json`): one event of one line. */
export function errorEvent(thrown: unknown): string {
  const code = thrown instanceof MillraceError ? thrown.code : "job-failed";
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return JSON.stringify({ event: "error", code, message });
}

/** 1 job failed, 2 wrong usage, 130 interrupted. */
export function exitCodeOf(thrown: unknown): number {
  if (!(thrown instanceof MillraceError)) return 1;
  switch (thrown.code) {
    case "wrong-usage":
    case "wrong-job":
    case "wrong-params":
    case "no-input":
    case "output-exists":
    case "nothing-to-resume":
    case "no-access":
      return 2;
    case "cancelled":
      return 130;
    default:
      return 1;
  }
}
