// Identifies a process: its number is given to another process later, but number and start time together are not.
import { readFileSync, readlinkSync } from "node:fs";
import { systemCode } from "../../base/error.ts";

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot; "" where the system does not tell. */
  readonly started: string;
  /**
   * Names the numbers' namespace: a container has its own. Undefined where the system does not tell, or an earlier
   * version wrote it.
   */
  readonly namespace?: string | undefined;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, started: startOf(process.pid) ?? "", namespace: namespaceHere() };
}

/** Whether its number means a process here. In another container the same number is another process, or none. */
export function isOfThisNamespace({ namespace }: ProcessIdentity): boolean {
  return namespace === undefined || namespace === namespaceHere();
}

/** Whether that very process still runs. In doubt (no /proc, another user's process, another container's): yes. */
export function isAlive(who: ProcessIdentity): boolean {
  if (!isOfThisNamespace(who)) return true;
  try {
    process.kill(who.pid, 0);
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
  const started = startOf(who.pid);
  return started === undefined || who.started === "" || started === who.started;
}

/** "pid:[4026531836]"; read once, as a process keeps its namespace. */
function namespaceHere(): string | undefined {
  here ??= readNamespace() ?? "";
  return here === "" ? undefined : here;
}

let here: string | undefined;

function readNamespace(): string | undefined {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return undefined; // no Linux
  }
}

/** Field 22 of /proc/PID/stat; the second field is a name in brackets that may hold anything. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended; only its parent has not noticed.
    return fields[0] === "Z" ? "ended" : fields[19];
  } catch {
    return undefined;
  }
}

/** Bytes of memory that a process holds now; undefined where the system does not tell. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return kilobytes === null ? undefined : Number(kilobytes[1]) * 1024;
  } catch {
    return undefined; // it has ended, or this is no Linux
  }
}
