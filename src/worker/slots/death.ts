// Explains to the job's author why a slot's process ended (faults 14 to 18).

import { isErrorCode, MillraceError, type Retry } from "../../base/error.ts";
import { MiB } from "../../base/limits.ts";
import { formatBytes } from "../../base/units.ts";
import type { FailureText } from "../../protocol/messages.ts";
import { uncaughtMark } from "../../slot/uncaught.ts";

/** What the agent knows about an ended process. */
export interface Death {
  /** Exit code; null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why the agent itself ended it; undefined: it did not. */
  readonly killedFor: KillReason | undefined;
  /** The end of what it wrote to standard error. */
  readonly stderrTail: string;
  readonly heapMiB: number;
  readonly rssBytesMax: number;
}

export type KillReason =
  /** It used more memory than `rssBytesMax`. */
  | { readonly kind: "memory"; readonly bytes: number }
  /** Its attempt was revoked, its job is over, or the worker closes. */
  | { readonly kind: "stopped" }
  /** It did not answer in time whether calls that have returned still do something. */
  | { readonly kind: "silent"; readonly ms: number }
  /** It wrote something to its message pipe that is no message. */
  | { readonly kind: "broken-pipe"; readonly what: string };

/** Signals that a process gets for something that it has done itself. */
const crashes: Readonly<Record<string, string>> = {
  SIGSEGV: "it touched memory that is not its own",
  SIGBUS: "it touched memory that is not there (a memory-mapped file that was cut, or a full tmpfs)",
  SIGILL: "it ran into an instruction that this machine does not have",
  SIGFPE: "an arithmetic error in native code",
  SIGTRAP: "V8 stopped it",
  SIGSYS: "a system call that is forbidden here",
};

export function deathText(death: Death): FailureText {
  return { code: "slot-died", message: messageOf(death), stack: undefined, where: undefined, excerpt: undefined };
}

export function silentText(ms: number): string {
  return `the process of the job's code was ended: after all calls had returned its thread was kept busy, and it said nothing for ${ms / 1000} s. Await what a call starts, or return its promise`;
}

/** Whether the process ended itself, or crashed. */
export function isOwnEnd({
  code,
  signal,
}: {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}): boolean {
  return code !== null || (signal !== null && (signal === "SIGABRT" || signal in crashes));
}

/** The text for a process that could not even be started. */
export function spawnError(error: Error): FailureText {
  return {
    code: "slot-died",
    message: `a slot's process can't be started: ${error.message}`,
    stack: undefined,
    where: undefined,
    excerpt: undefined,
  };
}

/** The text for a process that its job file ended while it was loaded. */
export function endedLoading(death: FailureText): FailureText {
  return { ...death, code: "wrong-job", message: `the job file can't be loaded: ${death.message}` };
}

/** The error that says the same as a text from a slot, or of its end. */
export function errorOf(text: FailureText, retry: Retry = "never"): MillraceError {
  const error = new MillraceError(isErrorCode(text.code) ? text.code : "wrong-job", text.message, { retry });
  if (text.stack !== undefined) error.stack = `${error.name}: ${error.message}\n${text.stack}`;
  return error;
}

function messageOf(death: Death): string {
  const { code, signal, killedFor } = death;
  if (killedFor?.kind === "memory") {
    return `out of memory: the process of the job's code held ${formatBytes(killedFor.bytes)}, more than the ${formatBytes(death.rssBytesMax)} that it may; large buffers or many objects are kept alive. Keep less between records, or give more with --memory`;
  }
  if (killedFor?.kind === "silent") return silentText(killedFor.ms);
  if (killedFor?.kind === "broken-pipe") return `the process of the job's code was ended: ${killedFor.what}`;
  if (killedFor?.kind === "stopped") return "the attempt was stopped";
  if (/heap out of memory|Reached heap limit|Allocation failed - |invalid table size/.test(death.stderrTail)) {
    return `out of memory: the job's code needs more than its heap of ${formatBytes(death.heapMiB * MiB)}. Keep less between records, or give more with --memory`;
  }
  if (signal === "SIGABRT" || code === 134)
    return `the process of the job's code aborted (process.abort(), or a check in native code)${lastLine(death.stderrTail)}`;
  const crash = signal === null ? undefined : crashes[signal];
  if (crash !== undefined)
    return `the process of the job's code crashed (${signal}): ${crash}; a native addon is the usual cause`;
  if (signal === "SIGKILL")
    return "the process of the job's code was killed (SIGKILL): by the system because memory ran out, or by someone";
  if (signal !== null) return `the process of the job's code was ended by the signal ${signal}`;
  const last = lastLineOf(death.stderrTail);
  if (last.startsWith(uncaughtMark))
    return `an error in a callback or promise that nothing waits for: ${last.slice(uncaughtMark.length)}`;
  return `the job's code ended its process: process.exit(${code})${lastLine(death.stderrTail)}`;
}

function lastLineOf(stderr: string): string {
  // Where Node aborts it adds addresses and lines of its own.
  const said = stderr.replace(/-{5} (?:Native|JavaScript) stack trace -{5}.*$/s, "");
  return said.trimEnd().split("\n").at(-1)?.trim() ?? "";
}

function lastLine(stderr: string): string {
  const line = lastLineOf(stderr);
  return line === "" ? "" : `; the last it wrote to standard error: ${line.slice(0, 200)}`;
}
