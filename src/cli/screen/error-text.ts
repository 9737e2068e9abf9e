// How an error looks on the screen: what happened, where, and what to do. Millrace's own stack is shown for bugs only.
import { sep } from "node:path";
import { types } from "node:util";
import { systemCode } from "../../base/error.ts";
import { exitCodeOfCode, exitCodes } from "../../base/error-codes.ts";
import { unprintable } from "../../base/printable.ts";
import { describeThrown, isOurs } from "../../job/thrown.ts";
import type { FailureText } from "../../protocol/messages.ts";
import type { JobView } from "../../protocol/view.ts";
import { pc } from "./colour.ts";

/**
 * Escapes characters that could move the cursor, change colours, or turn the direction of text around: data must not
 * control the terminal, and must be shown as it is.
 */
export function printable(text: string): string {
  return text.replace(unprintable, (c) => {
    if (c === "\n" || c === "\t") return c;
    const digits = c.charCodeAt(0).toString(16);
    return digits.length > 2 ? `\\u${digits.padStart(4, "0")}` : `\\x${digits.padStart(2, "0")}`;
  });
}

/**
 * Makes places in the job's sources relative where they are below the working directory, so that they can be typed as
 * shown.
 */
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

/** The lines for anything that was thrown. Only a bug of Millrace shows its stack. */
export function errorLines(thrown: unknown): string[] {
  // A cancellation is no error: it is what was asked for.
  if (isOurs(thrown) && thrown.code === "cancelled") return [printable(thrown.message)];
  if (isOurs(thrown))
    return [`${pc.red("error:")} ${printable(fromHere(thrown.message))} ${pc.dim(`[${thrown.code}]`)}`];
  // The operating system's words (a full disk, too many open files), where nothing above has said it better.
  const { message, stack } = describeThrown(thrown);
  const first = `${pc.red("error:")} ${printable(fromHere(message))}`;
  if (systemCode(thrown) !== undefined) return [first];
  // The error comes from the job's own code, in this process.
  if (stack !== undefined)
    return [
      first,
      ...fromHere(stack)
        .split("\n")
        .map((line) => pc.dim(printable(`  ${line}`))),
    ];
  if (types.isProxy(thrown) || !(thrown instanceof Error)) return [first];
  return [first, pc.dim(printable(thrown.stack ?? ""))];
}

/** The same for scripts (`--json`): an event. */
export function errorEvent(thrown: unknown): {
  readonly event: "error";
  readonly code: string;
  readonly message: string;
} {
  const code = isOurs(thrown) ? thrown.code : "job-failed";
  const { message } = describeThrown(thrown);
  return { event: "error", code, message };
}

/**
 * The exit code of a command that ends with this. Anything but a `MillraceError` is a bug, or comes from the operating
 * system.
 */
export function exitCodeOf(thrown: unknown): number {
  if (!isOurs(thrown)) return exitCodes.machine;
  return thrown.retry === "never" ? exitCodeOfCode(thrown.code) : exitCodes.machine;
}

/** The exit code of a command that waited for this job. */
export function exitCodeOfJob({ state, reason }: Pick<JobView, "state" | "reason">): number {
  if (state === "succeeded") return exitCodes.done;
  if (state === "cancelled") return exitCodes.interrupted;
  return exitCodeOfCode(reason?.code ?? "job-failed");
}
