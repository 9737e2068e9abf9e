// Divides one number, the memory that all slots of this machine may use together with the memory tier, into the parts:
//
//   memory = slots x arena + tier          share = memory / slots
//   arena  = half a share, at most 256 MiB: more than twice the largest split, the rest does more good in the tier
//   heap   = the user's own objects: capped by V8 at a share (at least 128 MiB) and counted apart from `memory`
//   window = half a slot's heap, at least 128 MiB: what a zstd frame may take, outside of the heap but in its place
//   rss    = where the watchdog ends a slot: arena + heap + 256 MiB for Node itself and for buffers outside the heap
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { MillraceError } from "../../base/error.ts";
import { KiB, limits, MiB } from "../../base/limits.ts";
import { formatBytes } from "../../base/units.ts";

export interface Budget {
  readonly slots: number;
  readonly memoryBytes: number;
  readonly arenaBytes: number;
  /** Bytes of the memory tier, for all slots together. */
  readonly tierBytes: number;
  /** V8's heap limit, for --max-old-space-size. */
  readonly heapMiB: number;
  readonly rssBytesMax: number;
}

export interface BudgetOptions {
  /** Number of slots. Default: one per core, fewer where memory does not suffice. */
  readonly slots: number | undefined;
  /** Bytes for everything. Default: a quarter of the machine's memory, or of the cgroup's limit. */
  readonly memoryBytes: number | undefined;
}

export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
}

const arenaBytesMax = 256 * MiB;
const heapBytesMin = 128 * MiB;
const heapBytesMax = 4096 * MiB;
const besidesBytes = 256 * MiB;

/** Divides the memory; throws `wrong-usage` where it does not suffice for the slots asked for. */
export function planBudget(options: BudgetOptions, machine: Machine = thisMachine()): Budget {
  if (options.slots !== undefined && (!Number.isSafeInteger(options.slots) || options.slots < 1)) {
    throw new MillraceError("wrong-usage", `slots is ${options.slots}, not a whole number of at least 1`);
  }
  const least = limits.slotMemoryBytesMin;
  const given = options.memoryBytes ?? Math.floor(machine.memoryBytes * limits.memoryShare);
  if (options.memoryBytes !== undefined && given < least * (options.slots ?? 1)) {
    const slots = options.slots ?? 1;
    throw new MillraceError(
      "wrong-usage",
      `${formatBytes(given)} of memory for ${slots} slot${slots === 1 ? "" : "s"}: a slot needs ${formatBytes(least)}; give at least ${formatBytes(least * slots)}, or fewer slots`,
    );
  }
  const slots = options.slots ?? Math.max(1, Math.min(machine.cores, Math.floor(given / least)));
  // The default is never refused: a small machine gets the least that works.
  const memoryBytes = Math.max(given, least * slots);
  const share = Math.floor(memoryBytes / slots);
  const arenaBytes = roundDown(clamp(share / 2, limits.arenaBytesMin, arenaBytesMax), 64 * KiB);
  const heapBytes = clamp(share, heapBytesMin, heapBytesMax);
  return {
    slots,
    memoryBytes,
    arenaBytes,
    tierBytes: memoryBytes - slots * arenaBytes,
    heapMiB: Math.floor(heapBytes / MiB),
    rssBytesMax: arenaBytes + heapBytes + besidesBytes,
  };
}

/** What a slot may hold of a zstd frame's content, to which later content refers. */
export function windowBytesOf({ heapMiB }: Pick<Budget, "heapMiB">): number {
  return Math.max(limits.zstdWindowBytesMin, (heapMiB * MiB) / 2);
}

/**
 * Bytes of the memory tier for an attempt that starts now: what is left, divided equally among the slots that are not
 * running, this one included. Overflow goes to disk, so too little is slow, never wrong.
 */
export function tierShare(tierBytes: number, heldBytes: number, grantedBytes: number, slotsIdle: number): number {
  return Math.max(0, Math.floor((tierBytes - heldBytes - grantedBytes) / Math.max(1, slotsIdle)));
}

/** Cores that this process may use, and the memory of the machine or of the cgroup that it is confined to. */
export function thisMachine(): Machine {
  return { cores: availableParallelism(), memoryBytes: Math.min(totalmem(), cgroupLimit(readText)) };
}

/**
 * The smallest memory limit of this process's cgroups, version 2 or 1; Infinity without one. `read` gives undefined for
 * no file.
 */
export function cgroupLimit(read: (path: string) => string | undefined): number {
  let least = Number.POSITIVE_INFINITY;
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, controllers, path] = match as unknown as [string, string, string];
    const isV2 = controllers === "";
    if (!isV2 && !controllers.split(",").includes("memory")) continue;
    const root = isV2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const file = isV2 ? "memory.max" : "memory.limit_in_bytes";
    // Every ancestor limits too; inside a container the own path may not exist, its root then is the container's.
    const parts = path.split("/").filter((part) => part !== "" && part !== "..");
    for (let depth = parts.length; depth >= 0; depth--) {
      const limit = Number(read([root, ...parts.slice(0, depth), file].join("/"))?.trim() || "max");
      // Version 1 says "none" by a number near 2^63.
      if (Number.isFinite(limit) && limit > 0 && limit < 2 ** 60) least = Math.min(least, limit);
    }
  }
  return least;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // not Linux, or no such controller
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function roundDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}
