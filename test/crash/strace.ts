// Runs a program under strace, which interrupts one system call on one path: kills the process before it, or lets it
// fail. (`-P` takes paths as they are written, so the program must name its files by whole paths.)
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const canTrace = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

/** The system calls that change what is on a disk or say that it is there, and those that read. */
const fileCalls =
  "openat,read,pread64,write,pwrite64,writev,pwritev,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,utimensat,copy_file_range";

/** A system call of a program: its `nth` of this name on this path. */
export interface Point {
  readonly call: string;
  readonly path: string;
  readonly nth: number;
  /** It changes nothing: to be killed before it is to be killed before the next. */
  readonly isReading: boolean;
}

export type Interruption =
  | { readonly kind: "kill"; readonly point: Point }
  /** `once`: this call fails; otherwise all calls in `calls` on `paths` do, from the point on. */
  | { readonly kind: "fail"; readonly point: Point; readonly error: string }
  | {
      readonly kind: "fail for good";
      readonly paths: readonly string[];
      readonly calls: string;
      readonly error: string;
    }
  /** Killed at the nth of these calls of a thread, whatever it is on: where it is not known what there will be. */
  | { readonly kind: "kill anywhere"; readonly calls: string; readonly nth: number };

/** One run of the program, from its start to its end. */
export interface Life {
  /** The lines that it wrote to stdout: what it acknowledged. */
  readonly lines: readonly string[];
  readonly stderr: string;
  readonly signal: NodeJS.Signals | null;
  readonly status: number | null;
  /** It did not end by itself. */
  readonly isHung: boolean;
  /** Calls that strace let fail. */
  readonly injected: number;
}

export interface Program {
  /** What Node is given: a script and its arguments. */
  readonly words: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Where it keeps its files. */
  readonly folder: string;
}

/** A life that takes longer is ended, and counts as one that hangs. */
const hungMs = 60_000;

/** Runs it undisturbed, and finds the calls that it makes on its files, in order. */
export async function record(program: Program, traceFile: string): Promise<{ life: Life; points: Point[] }> {
  const words = ["-f", "-y", "-s", "4096", "-o", traceFile, "-e", `trace=${fileCalls}`];
  const life = await live(program, ["strace", ...words, process.execPath, ...program.words]);
  return { life, points: pointsIn(readFileSync(traceFile, "utf8"), program.folder) };
}

/** Runs it without strace, to its end. */
export function runUndisturbed(program: Program): Promise<Life> {
  return live(program, [process.execPath, ...program.words]);
}

export async function runInterrupted(program: Program, interruption: Interruption, traceFile: string): Promise<Life> {
  const life = await live(program, [
    "strace",
    ...straceWords(interruption, traceFile),
    process.execPath,
    ...program.words,
  ]);
  if (interruption.kind !== "fail" && interruption.kind !== "fail for good") return life;
  return { ...life, injected: readFileSync(traceFile, "utf8").split("(INJECTED)").length - 1 };
}

function straceWords(interruption: Interruption, traceFile: string): string[] {
  // `-D`: what is killed is the child itself, not strace.
  const inject = (calls: string, what: string) => ["-e", `trace=${calls}`, "-e", `inject=${calls}:${what}`];
  switch (interruption.kind) {
    case "kill": {
      const { call, path, nth } = interruption.point;
      return ["-f", "-D", "-o", "/dev/null", "-P", path, ...inject(call, `signal=KILL:when=${nth}`)];
    }
    case "kill anywhere":
      return ["-f", "-D", "-o", "/dev/null", ...inject(interruption.calls, `signal=KILL:when=${interruption.nth}`)];
    case "fail": {
      const { call, path, nth } = interruption.point;
      return ["-f", "-o", traceFile, "-P", path, ...inject(call, `error=${interruption.error}:when=${nth}`)];
    }
    case "fail for good":
      return [
        ...["-f", "-o", traceFile],
        ...interruption.paths.flatMap((path) => ["-P", path]),
        ...inject(interruption.calls, `error=${interruption.error}`),
      ];
  }
}

function live(program: Program, [command, ...words]: readonly string[]): Promise<Life> {
  // One thread for files: the order of calls is the same in each run.
  const env = { ...process.env, ...program.env, UV_THREADPOOL_SIZE: "1", NODE_OPTIONS: "" };
  const child = spawn(command!, words, { stdio: ["ignore", "pipe", "pipe"], env, detached: true });
  let stdout = "";
  let stderr = "";
  let isHung = false;
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const timer = setTimeout(() => {
    isHung = true;
    process.kill(-child.pid!, "SIGKILL");
  }, hungMs);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      const lines = stdout.split("\n").slice(0, -1);
      resolve({ lines, stderr, signal, status, isHung, injected: 0 });
    });
  });
}

function pointsIn(trace: string, folder: string): Point[] {
  const points: Point[] = [];
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  for (const line of trace.split("\n")) {
    const match = /^(\d+) +(\w+)\((.*)$/.exec(line);
    if (match === null) continue;
    const [, thread, call, rest] = match as unknown as [string, string, string, string];
    const paths = new Set<string>();
    for (const [, quoted, angled] of rest.matchAll(/"((?:[^"\\]|\\.)*)"|<([^<>]*)>/g)) {
      const path = quoted ?? angled!;
      if (path === folder || path.startsWith(join(folder, "/"))) paths.add(path);
    }
    for (const path of paths) {
      const key = `${thread} ${call} ${path}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const path = [...paths][0];
    if (path === undefined) continue;
    const nth = counts.get(`${thread} ${call} ${path}`)!;
    const isReading =
      call === "read" || call === "pread64" || (call === "openat" && !/O_(WRONLY|RDWR|CREAT|TRUNC)/.test(rest));
    // Another thread's call with the same number is the same point: the first to come to it is interrupted.
    if (seen.has(`${call} ${path} ${nth}`)) continue;
    seen.add(`${call} ${path} ${nth}`);
    points.push({ call, path, nth, isReading });
  }
  return points;
}
