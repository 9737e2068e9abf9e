// Runs a command as a whole process and says how long it took, how much memory it held and what it wrote to disks.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** SIGKILL follows when the interrupted command has not ended by itself after this long. */
const graceMs = 5000;

/**
 * Runs a command to its end.
 *
 *   seconds     wall time from start to exit
 *   peakBytes   the largest sum, sampled every 50 ms, of the resident bytes of the process and all its descendants, and of
 *               what has come into `memoryDirectories` (tmpfs) since the start
 *   diskBytes   `write_bytes` of the process and its descendants: bytes of pages made dirty in files of file systems with
 *               a disk behind them (not tmpfs, sockets, pipes). The kernel adds the account of a process that has been
 *               waited for to its parent's, so after the exit all of it is in ours. What this process itself writes
 *               meanwhile is included too, but it writes nothing. A process whose parent has died first is missed.
 *
 * Rejects when the command can't be started, ends with another code than 0, or `signal` is aborted: the command then
 * gets SIGTERM first.
 */
export function measure({ command, args, env, memoryDirectories = [] }, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const before = new Set(memoryDirectories.flatMap(pathsIn));
    const held = () =>
      memoryDirectories.flatMap(pathsIn).reduce((sum, path) => sum + (before.has(path) ? 0 : bytesBelow(path)), 0);
    const writtenBefore = ownDiskBytes();
    const started = performance.now();
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
    let peak = 0;
    let errors = "";
    let killing;
    child.stderr.on("data", (chunk) => (errors = (errors + chunk).slice(-4000)));
    const sampler = setInterval(() => (peak = Math.max(peak, residentBytes(child.pid) + held())), 50);
    const interrupt = () => {
      child.kill("SIGTERM");
      killing = setTimeout(() => child.kill("SIGKILL"), graceMs);
    };
    const end = () => {
      clearInterval(sampler);
      clearTimeout(killing);
      signal?.removeEventListener("abort", interrupt);
    };
    signal?.addEventListener("abort", interrupt, { once: true });
    child.on("error", (error) => {
      end();
      reject(error);
    });
    child.on("close", (code, killedBy) => {
      const seconds = (performance.now() - started) / 1000;
      end();
      if (signal?.aborted) reject(signal.reason);
      else if (code === 0) resolve({ seconds, peakBytes: peak, diskBytes: ownDiskBytes() - writtenBefore });
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code ?? killedBy}\n${errors.trimEnd()}`));
    });
  });
}

/** The disk bytes of this process and of all that it has waited for; 0 where the kernel keeps no such account. */
function ownDiskBytes() {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1] ?? 0);
  } catch {
    return 0; // no /proc, or a kernel without task accounting
  }
}

/** Resident bytes of a process and its descendants; pages shared between them count in each (an overestimate). */
function residentBytes(root) {
  const children = new Map();
  const resident = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const parent = Number(fields[1]);
      resident.set(Number(name), Number(fields[21]) * 4096);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // ended meanwhile
    }
  }
  let total = 0;
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    total += resident.get(pid) ?? 0;
    open.push(...(children.get(pid) ?? []));
  }
  return total;
}

function pathsIn(folder) {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return []; // not there
  }
}

/** Bytes of a file, or of all files below a folder. */
export function bytesBelow(path) {
  try {
    const status = statSync(path);
    if (!status.isDirectory()) return status.size;
    return pathsIn(path).reduce((sum, below) => sum + bytesBelow(below), 0);
  } catch {
    return 0; // going
  }
}
