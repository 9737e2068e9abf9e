// Starts the process that a slot is. It loads its code at once and learns where it works from its first message, so that it can be
// started before that is decided.
import { type ChildProcess, spawn } from "node:child_process";

/** Descriptors: 0 nothing, 1 and 2 output, 3 messages (frames.ts). `heapMiB`: V8's limit. */
export function startSlotProcess(program: string, heapMiB: number): ChildProcess {
  return spawn(process.execPath, [`--max-old-space-size=${heapMiB}`, program], {
    cwd: "/",
    detached: true,
    env: slotEnvironment(process.env),
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

/** Of ours, where they are set. */
export const slotVariables = ["PATH", "LD_LIBRARY_PATH", "ICU_DATA", "NODE_ICU_DATA", "MILLRACE_FAILPOINT"] as const;

/**
 * What a slot's process gets of ours: PATH, because jobs call programs; what a Node that is not installed in the usual places
 * needs to start; and the tests' failpoints. Not HOME, no credentials, nothing that would make output depend on who ran it.
 */
export function slotEnvironment(ours: NodeJS.ProcessEnv): Record<string, string> {
  const environment: Record<string, string> = { TZ: "UTC", LANG: "C.UTF-8" };
  for (const name of slotVariables) {
    const value = ours[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
