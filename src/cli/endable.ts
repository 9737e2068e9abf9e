// Commands that call the job's code in their own process, where an endless loop would keep the thread from hearing of any signal.
// They do their work in a child: the same command once more. This process does nothing but wait, so that the first interrupt
// finds it free: it passes the signal on, ends a child that does not answer, and removes what that one leaves. Ctrl-Z stops both.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { randomId } from "../base/system/random.ts";
import { localPlaces, removeAbandoned } from "../engine/work-directories.ts";
import { watchForOrphan } from "../slot/orphan-watch.ts";
import {
  createWorkDirectory,
  removeStaleMemory,
  removeWorkDirectory,
  type WorkDirectory,
} from "../worker/disk/work-directory.ts";
import { interruptSignals, onInterruptHeard } from "./interrupts.ts";

/** In the environment of the child: who its parent is. A name that is set by chance names nobody's parent. */
const variable = "MILLRACE_ENDABLE_BY";
/** The child writes a byte to it when it has heard of the signal. */
const heardDescriptor = 3;

export interface EndableOptions {
  /** Where the command keeps its temporary files; undefined: where the system has them. */
  readonly workDir: string | undefined;
  /** A debugger comes to the process whose number is known: there is no child, and signals end this one as they always do. */
  readonly isDebugged?: boolean;
}

/**
 * Does `work` in a child, whose temporary folder (`tmpdir()`, until the job is loaded) is removed with it, and sets this process's
 * exit code. Rejects with `cancelled` where the child did not come to its own end after an interrupt.
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

/** In a child: whose `tmpdir()` lies in the work directory that was given. */
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
      // It waits no longer.
    }
  });
  return true;
}

/** Like a run's: should this process be killed, a later command removes it. */
function createFolder(workDir: string | undefined): WorkDirectory {
  removeAbandoned(workDir);
  const id = randomId();
  const { work } = localPlaces({ output: undefined, workDir }, id);
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

/** Of a group of its own, so that a terminal's Ctrl-C comes here alone, and all that the job's code starts can be ended. */
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
 * The terminal's Ctrl-Z comes here alone, and stops the child too; where the shell lets this process go on, so does the child. Its
 * slots end what they are at.
 */
function stopTogether(child: ChildProcess, clock: Clock, over: AbortSignal): { end(): void } {
  const onStop = () => {
    // Not SIGTSTP, which the system does not deliver to a group that no shell looks after.
    signalGroup(child, "SIGSTOP");
    process.off("SIGTSTP", onStop);
    process.kill(process.pid, "SIGTSTP");
    // This process is stopped here. Where it was not, because no shell looks after it either, the child must not be.
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
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // All have ended.
  }
}
