// The built command as a user runs it, in a folder of its own that is also its temporary folder, so that whatever a run
// leaves behind can be seen: files, processes (their working folder lies there), memory folders (named after the job).
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../bin/millrace.js", import.meta.url));
const memoryRoot = "/dev/shm";

export function jobFile(name: string): string {
  return fileURLToPath(new URL(`./jobs/${name}.ts`, import.meta.url));
}

/** Where one test works. */
export class Scratch {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), "millrace-fault-")));
  readonly input = join(this.path, "in");
  readonly output = join(this.path, "out");
  /** TMPDIR of the runs. */
  readonly temporary = join(this.path, "tmp");
  /** Each time a fault happens, the job adds a line. */
  readonly mark = join(this.path, "mark");
  readonly #jobs = new Set<string>();

  constructor() {
    mkdirSync(this.input);
    mkdirSync(this.temporary);
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  /** How often the fault happened: a test that does not ask might pass without it. */
  get fired(): number {
    return existsSync(this.mark) ? readFileSync(this.mark, "utf8").split("\n").length - 1 : 0;
  }

  /** Hidden folders of unfinished runs. Their names end with the job's, as those of memory folders do. */
  workFolders(parent = this.path): string[] {
    const names = readdirSync(parent).filter((name) => name.includes(".millrace-"));
    for (const name of names) this.#jobs.add(name.slice(name.lastIndexOf("-") + 1));
    return names.map((name) => join(parent, name));
  }

  /** Memory folders of the jobs that `workFolders` has seen, whoever uses them. */
  memoryFolders(): string[] {
    const names = existsSync(memoryRoot) ? readdirSync(memoryRoot) : [];
    return names
      .filter((name) => [...this.#jobs].some((job) => name.startsWith("millrace-") && name.endsWith(job)))
      .map((name) => join(memoryRoot, name));
  }

  /** What a run may leave nothing of. */
  leftovers(): string[] {
    const temporary = readdirSync(this.temporary).map((name) => join(this.temporary, name));
    // A process that was killed, or whose parent has ended (esbuild's), takes a moment to be gone.
    let processes = this.processes();
    for (let tries = 0; processes.length > 0 && tries < 250; tries++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      processes = this.processes();
    }
    return [...this.workFolders(), ...this.memoryFolders(), ...temporary, ...processes.map(String)];
  }

  /** Processes that work in this folder or below, in removed folders too: the command, its slots, what they started. */
  processes(): number[] {
    return processIds().filter((pid) => {
      try {
        const folder = readlinkSync(`/proc/${pid}/cwd`);
        return folder === this.path || folder.startsWith(`${this.path}/`) || folder === `${this.path} (deleted)`;
      } catch {
        return false; // it has ended, or is not ours
      }
    });
  }

  remove(): void {
    this.workFolders();
    for (const pid of this.processes()) process.kill(pid, "SIGKILL");
    for (const path of this.memoryFolders()) rmSync(path, { recursive: true, force: true });
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command: a program that runs it under other conditions. */
  readonly under?: readonly string[];
  /** The user of the command's process. Default: the test's. */
  readonly user?: number;
  readonly stdin?: "pipe" | "ignore";
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** What was written to standard output, and to standard error, until now. */
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<Ended>;
}

/** Starts `millrace …words` in a scratch folder. */
export function start(scratch: Scratch, words: readonly string[], options: RunOptions = {}): Running {
  const [command, ...more] = [...(options.under ?? []), process.execPath, program, ...words];
  const child = spawn(command!, more, {
    cwd: scratch.path,
    env: { ...process.env, NO_COLOR: "1", TMPDIR: scratch.temporary, ...options.env },
    stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout!.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("latin1");
  });
  child.stderr!.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

export function runToEnd(scratch: Scratch, words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return start(scratch, words, options).ended;
}

/** The events of `--json`, which go to standard output where the result does not. */
export function eventsOf(stdout: string): readonly Readonly<Record<string, unknown>>[] {
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Messages of the attempts that failed, from the events of `--json`. */
export function failuresOf(stdout: string): string[] {
  return eventsOf(stdout)
    .filter(({ event }) => event === "attempt-failed")
    .map(({ error }) => String((error as { message?: unknown } | undefined)?.message ?? error));
}

/** Part files of a published folder, one after the other. */
export function partsOf(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.startsWith("part-"))
    .toSorted()
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");
}

/** Waits until something is so; the test's own time limit ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Command line of a process, its words joined by spaces; empty when it has ended. */
export function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

export function processIds(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Most memory that any slot of this folder's runs ever held, in bytes, as the system counted it until now. */
export function peakSlotBytes(scratch: Scratch): number {
  let peak = 0;
  for (const pid of scratch.processes()) {
    if (!commandLineOf(pid).includes("dist/slot.cjs")) continue;
    try {
      const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
      peak = Math.max(peak, Number(kilobytes?.[1] ?? 0) * 1024);
    } catch {
      // it has ended
    }
  }
  return peak;
}

/** Whether a private view of the mounts can be had, for small file systems that no one else sees. */
export function canMount(): boolean {
  return spawnSync("unshare", [...unshareWords, "mount", "-t", "tmpfs", "tmpfs", memoryRoot]).status === 0;
}

/**
 * Words before a command that give it a tmpfs of a size at each of some folders, for it and its children only;
 * `afterwards`, a shell command, still sees them.
 */
export function withSmall(mounts: Readonly<Record<string, string>>, afterwards = "true"): string[] {
  const commands = Object.entries(mounts).map(([path, size]) => `mount -t tmpfs -o size=${size} tmpfs '${path}'`);
  return [
    "unshare",
    ...unshareWords,
    "sh",
    "-c",
    `${commands.join(" && ")} || exit 99; "$@"; code=$?; ${afterwards}; exit $code`,
    "sh",
  ];
}

const isRoot = process.getuid?.() === 0;
const unshareWords = isRoot ? ["--mount"] : ["--mount", "--user", "--map-root-user"];

/** Somebody for whom permissions count: root may write everywhere. */
export const plainUser = isRoot ? { user: 65_534 } : {};
