import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const driver = fileURLToPath(new URL("./driver.mjs", import.meta.url));

export const faultyJob = fileURLToPath(new URL("./jobs/faults.ts", import.meta.url));
export const books = fileURLToPath(new URL("../../examples/data/books", import.meta.url));

export interface RunResult {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly counters?: Readonly<Record<string, number>>;
  readonly files?: readonly { readonly path: string; readonly records: number }[];
  readonly records?: readonly unknown[];
  /** The signal that ended the process, such as "SIGKILL"; null where it exited. */
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<RunResult>;
}

/** A run in a process of its own, which a test may kill. */
export function startRun(
  options: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [driver, JSON.stringify(options)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const ended = new Promise<RunResult>((resolve) => {
    child.on("close", (_, signal) => {
      const result = stdout === "" ? { ok: false } : JSON.parse(stdout);
      resolve({ ...result, signal, stderr });
    });
  });
  return { child, ended };
}

export function runToEnd(
  options: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  return startRun(options, env).ended;
}

/** Processes whose working directory is, or was, below a directory: slots, and what they started. */
export function processesBelow(directory: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
      } catch {
        return false; // it has ended, or is not ours
      }
    })
    .map(Number);
}

/** Waits until something is so; the test's own time limit ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Part files by name, with a digest of their bytes. */
export function partsOf(directory: string): Readonly<Record<string, string>> {
  const names = readdirSync(directory).filter((name) => name.startsWith("part-"));
  return Object.fromEntries(
    names.toSorted().map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(directory, name)))
        .digest("hex"),
    ]),
  );
}

/** Memory directories of this user's that belong to a work directory below `directory`. */
export function memoryDirectoriesOf(directory: string): string[] {
  return namesIn("/dev/shm")
    .filter((name) => name.startsWith("millrace-"))
    .filter((name) => {
      try {
        return (JSON.parse(readFileSync(`/dev/shm/${name}/owner.json`, "utf8")).work as string).startsWith(directory);
      } catch {
        return false;
      }
    });
}

/** What failed runs below a directory kept for a resume that will not come, and the directory. */
export function removeAll(directory: string): void {
  for (const name of memoryDirectoriesOf(directory)) rmSync(`/dev/shm/${name}`, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
