// Starts the process of a slot. The process loads its code immediately, and learns where it works from its first
// message, so that it can be started before that is decided.
import { type ChildProcess, spawn } from "node:child_process";
import { systemCode } from "../../base/error.ts";

/** Starts a process. Its descriptors: 0 nothing, 1 and 2 output, 3 messages (frames.ts). `heapMiB` is V8's limit. */
export function startSlotProcess(program: string, heapMiB: number): ChildProcess {
  return spawn(process.execPath, [`--max-old-space-size=${heapMiB}`, program], {
    cwd: "/",
    detached: true,
    env: slotEnvironment(process.env),
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

/** Variables that a slot gets from this process, where they are set. */
export const slotVariables = ["PATH", "LD_LIBRARY_PATH", "ICU_DATA", "NODE_ICU_DATA", "MILLRACE_FAILPOINT"] as const;

/**
 * The environment that a slot's process gets from this one: PATH, because jobs call programs; variables that a Node in
 * an unusual place needs to start; and the tests' failpoints. Not HOME, no credentials, and nothing that would make
 * output depend on the user.
 */
export function slotEnvironment(ours: NodeJS.ProcessEnv): Record<string, string> {
  const environment: Record<string, string> = { TZ: "UTC", LANG: "C.UTF-8" };
  for (const name of slotVariables) {
    const value = ours[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** Kills the slot's process group, which includes everything that its code started. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (systemCode(error) !== "ESRCH") throw error; // ESRCH: all have ended
  }
}
