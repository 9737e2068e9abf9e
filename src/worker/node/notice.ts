// A notice that the machine goes away soon, as spot machines get it: a file that appears, or a command that says so.
// It is asked for every few seconds. What is wrong with the asking is told once, and again when it was well in between.
import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { MillraceError, systemCode } from "../../base/error.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";

export type Notice =
  | { readonly kind: "file"; readonly path: string }
  /** For `/bin/sh`: exit code 0 is a notice, 1 none, and any other one an error. */
  | { readonly kind: "command"; readonly command: string };

export interface NoticeOptions {
  readonly notice: Notice;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Time between two looks; default 5 s. A command that takes longer than this is ended, and that is an error. */
  readonly everyMs?: number | undefined;
}

const everyMsDefault = 5_000;

/** Parses "file:PATH" or "command:…". Throws `wrong-usage`. */
export function parseNotice(text: string): Notice {
  const [, kind, rest = ""] = /^(file|command):(.+)$/s.exec(text) ?? [];
  if (kind === "file" && !rest.includes("\0")) return { kind, path: rest };
  if (kind === "command" && !rest.includes("\0")) return { kind, command: rest };
  const what = `--notice takes file:PATH or command:COMMAND, such as file:/run/leave, not ${JSON.stringify(text)}`;
  throw new MillraceError("wrong-usage", what);
}

/** Resolves with true when there is a notice, and with false when the watch was ended. Never rejects. */
export async function watchNotice(options: NoticeOptions): Promise<boolean> {
  const { clock, log, signal, everyMs = everyMsDefault } = options;
  let told: string | undefined;
  while (!signal.aborted) {
    const answer = await ask(options, everyMs).catch(
      (error: unknown) => `it can't be asked for: ${systemCode(error) ?? String(error)}`,
    );
    if (answer === true) return true;
    if (typeof answer === "string" && answer !== told) {
      log.warn({ notice: options.notice }, `no notice can be had: ${answer}; it is asked for again and again`);
    }
    told = typeof answer === "string" ? answer : undefined;
    await clock.sleep(everyMs, signal);
  }
  return false;
}

/** Whether there is a notice, or what is wrong. */
async function ask({ notice, clock, signal }: NoticeOptions, timeoutMs: number): Promise<boolean | string> {
  if (notice.kind === "command") return await askCommand(notice.command, clock, timeoutMs, signal);
  try {
    await stat(notice.path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    return code === "ENOENT" ? false : `${notice.path} can't be looked at (${code ?? String(error)})`;
  }
}

async function askCommand(
  command: string,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean | string> {
  // A group of its own, so that what the command has started ends with it.
  const child = spawn("/bin/sh", ["-c", command], { stdio: "ignore", detached: true });
  const over = new AbortController();
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // it has ended
    }
  };
  signal.addEventListener("abort", end, { once: true, signal: over.signal });
  if (signal.aborted) end();
  let isLate = false;
  void clock.sleep(timeoutMs, over.signal).then(() => {
    if (over.signal.aborted) return;
    isLate = true;
    end();
  });
  try {
    return await new Promise<boolean | string>((resolve) => {
      child.on("error", (error) => resolve(`the command can't be started (${systemCode(error) ?? error.message})`));
      child.on("exit", (code, killedBy) => {
        if (isLate) resolve(`the command takes more than ${timeoutMs / 1000} s and was ended`);
        else if (code === 0 || code === 1) resolve(code === 0);
        else resolve(killedBy === null ? `the command ends with exit code ${code}` : `the command died of ${killedBy}`);
      });
    });
  } finally {
    over.abort();
  }
}
