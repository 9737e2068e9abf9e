// Runs commands as whole processes, in rotation, and compares them within each round.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Runs a command to its end. Seconds of wall time; peak of the sum of resident bytes of the process and all its descendants,
 * plus what lies in `memoryDirectories` (tmpfs), sampled every 50 ms.
 */
export function measure({ command, args, env, memoryDirectories = [] }) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
    let peak = 0;
    let errors = "";
    child.stderr.on("data", (chunk) => (errors = (errors + chunk).slice(-4000)));
    const sampler = setInterval(() => {
      peak = Math.max(
        peak,
        residentBytes(child.pid) + memoryDirectories.reduce((sum, path) => sum + bytesBelow(path), 0),
      );
    }, 50);
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(sampler);
      const seconds = (performance.now() - started) / 1000;
      if (code === 0) resolve({ seconds, peakBytes: peak });
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code}\n${errors}`));
    });
  });
}

/** Resident bytes of a process and its descendants; pages shared between them count once each (an overestimate). */
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

function bytesBelow(path) {
  let total = 0;
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const below = join(path, entry.name);
      total += entry.isDirectory() ? bytesBelow(below) : statSync(below).size;
    }
  } catch {
    // not there, or going
  }
  return total;
}

/** Each round runs every contestant once; the ratios are formed within the round, so that a slow minute slows both. */
export async function rounds(contestants, count, log) {
  const results = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = -1; round < count; round++) {
    for (const contestant of contestants) {
      for (const path of contestant.outputs ?? []) rmSync(path, { recursive: true, force: true });
      const result = await measure(contestant);
      if (round >= 0) results.get(contestant.name).push(result);
      log?.(
        `${round < 0 ? "warm-up" : `round ${round + 1}`} ${contestant.name}: ${result.seconds.toFixed(2)} s, ${(result.peakBytes / 2 ** 20).toFixed(0)} MiB`,
      );
    }
  }
  return results;
}

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2 === 1
    ? sorted[(sorted.length - 1) / 2]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
};

/** Median, smallest and largest of a / b, round by round. */
export function ratio(a, b, figure = "seconds") {
  const ratios = a.map((result, round) => result[figure] / b[round][figure]);
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}
