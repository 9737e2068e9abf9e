// Commands that call the job's code in their own process, where an endless loop would keep the thread from hearing of
// any signal. They do their work in a child, which is the same command once more. This process does nothing but wait,
// so that it is free to handle the first interrupt: it passes the signal on, ends a child that does not answer, and
// removes what that child leaves. Ctrl-Z stops both.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { randomId } from "../base/system/random.ts";
import { removeAbandoned, workDirectories } from "../engine/work-directories.ts";
import { watchForOrphan } from "../slot/orphan-watch.ts";
import {
  createWorkDirectory,
  removeStaleMemory,
  removeWorkDirectory,
  type WorkDirectory,
} from "../worker/disk/work-directory.ts";
import { interruptSignals, onInterruptHeard } from "./interrupts.ts";

/**
 * The child's variable with the number of its parent's process. A value that is there by chance is not its parent's
 * number.
 */
const variable = "MILLRACE_ENDABLE_BY";
/** The child writes a byte to this descriptor when it has received the signal. */
const heardDescriptor = 3;

export interface EndableOptions {
  /** Where the command keeps its temporary files; undefined: in the system's temporary folder. */
  readonly workDir: string | undefined;
  /**
   * A debugger attaches to the process whose number it knows. So there is no child then, and signals end this process
   * as usual.
   */
  readonly isDebugged?: boolean;
}

/**
 * Does `work` in a child, whose temporary folder (`tmpdir()`, until the job is loaded) is removed with it, and sets
 * this process's exit code. Rejects with `cancelled` where the child did not come to its own end after an interrupt.
 */
export async function endable(
  { workDir, isDebugged = false }: EndableOptions,
  work: () => Promise<void>,
): Promise<void> {
  const isNodesDebugger = /--inspect/.test([...process.execArgv, process.env["NODE_OPTIONS"]].join(" "));
  if (isChild() || isDebugged || isNodesDebugger) return work();
  const folder = createFolder(workDir);
  try {
    await waitFor(startChild(folder), systemClock);
  } finally {
    removeWorkDirectory(folder);
    removeStaleMemory(); // of work directories that were in it
  }
}

/** Whether this process is such a child, whose `tmpdir()` lies in the work directory that was given. */
export function isInChild(): boolean {
  return isOurChild;
}

let isOurChild = false;

function isChild(): boolean {
  const parent = process.env[variable];
  delete process.env[variable];
  if (parent !== String(process.ppid)) return false;
  isOurChild = true;
  watchForOrphan(process.ppid);
  onInterruptHeard(() => {
    try {
      writeSync(heardDescriptor, "!");
    } catch {
      // The child has ended in the meantime.
    }
  });
  return true;
}

/** A work directory like that of a run, so that a later command removes it if this process is killed. */
function createFolder(workDir: string | undefined): WorkDirectory {
  removeAbandoned(workDir);
  const id = randomId();
  const { work } = workDirectories({ output: undefined, workDir }, id);
  try {
    mkdirSync(dirname(work), { recursive: true });
  } catch (error) {
    const code = systemCode(error) ?? String(error);
    const kind = code === "EEXIST" || code === "ENOTDIR" ? "wrong-usage" : "io-error";
    throw new MillraceError(kind, `can't make the folder ${dirname(work)} for temporary files: ${code}`, {
      cause: error,
    });
  }
  return createWorkDirectory({ path: work, id });
}

/**
 * The child leads a process group of its own, so that a terminal's Ctrl-C comes only to this process, and everything
 * that the job's code starts can be ended.
 */
function startChild(folder: WorkDirectory): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    env: { ...process.env, TMPDIR: folder.path, [variable]: String(process.pid) },
    stdio: ["inherit", "inherit", "inherit", "pipe"],
  });
}

async function waitFor(child: ChildProcess, clock: Clock): Promise<void> {
  const ended = new Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code, signal) => resolve({ code, signal }));
    },
  );
  const over = new AbortController();
  const heard = new AbortController();
  const end = async () => {
    await clock.sleep(limits.interruptHeardMs, AbortSignal.any([heard.signal, over.signal]));
    if (heard.signal.aborted) await clock.sleep(limits.interruptedMs, over.signal);
    if (!over.signal.aborted) killGroup(child);
  };
  let isInterrupted = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (isInterrupted) return killGroup(child);
    isInterrupted = true;
    child.kill(signal);
    void end();
  };
  child.stdio[heardDescriptor]!.on("error", () => {}).on("data", () => heard.abort());
  for (const signal of interruptSignals) process.on(signal, onSignal);
  const stopping = stopTogether(child, clock, over.signal);
  try {
    const { code, signal } = await ended;
    over.abort();
    if (isInterrupted) killGroup(child); // what the job's code has started
    if (code !== null) {
      process.exitCode = code;
    } else if (isInterrupted) {
      throw new MillraceError("cancelled", "cancelled: the job's code was running, and was ended with its process");
    } else {
      throw new MillraceError(
        "slot-died",
        `the process that ran the job's code was ended by ${signal}${signal === "SIGKILL" ? ", which is how systems without memory end one" : ""}`,
      );
    }
  } finally {
    for (const signal of interruptSignals) process.off(signal, onSignal);
    stopping.end();
  }
}

/**
 * The terminal's Ctrl-Z comes only to this process, which then stops the child too, and continues it when the shell
 * continues this process. The child's slots finish what they are doing.
 */
function stopTogether(child: ChildProcess, clock: Clock, over: AbortSignal): { end(): void } {
  const onStop = () => {
    // Not SIGTSTP, which the system does not deliver to an orphaned process group.
    signalGroup(child, "SIGSTOP");
    process.off("SIGTSTP", onStop);
    process.kill(process.pid, "SIGTSTP");
    // This process is stopped here. If it was not, because its own group is orphaned too, the child must not stay
    // stopped.
    void clock.sleep(limits.stoppedMs, over).then(goOn);
  };
  const goOn = () => {
    signalGroup(child, "SIGCONT");
    process.off("SIGTSTP", onStop);
    if (!over.aborted) process.on("SIGTSTP", onStop);
  };
  process.on("SIGTSTP", onStop);
  process.on("SIGCONT", goOn);
  return {
    end() {
      process.off("SIGTSTP", onStop);
      process.off("SIGCONT", goOn);
    },
  };
}

function killGroup(child: ChildProcess): void {
  signalGroup(child, "SIGKILL");
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return; // it could not be started
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Every process of the group has ended.
  }
}
