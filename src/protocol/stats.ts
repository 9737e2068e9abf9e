// The numbers that say what an attempt did, for the summary: one table, by which they are added, stored and sent. A
// number more is one entry here and its field in `common.proto`; stats.test.ts holds the two against each other.

interface Stat {
  /** Its number in the message AttemptStats, in records that are stored too: never given to another. */
  readonly field: number;
  /** What it is on the wire: a whole number, or milliseconds with a fraction. */
  readonly kind: "count" | "duration";
  /** What a job shows of its winners' numbers. */
  readonly total: "sum" | "max";
  /** Whether `_SUCCESS` says it: what functions returned and left open says nothing of the result. */
  readonly inManifest: boolean;
}

/** In the order in which `_SUCCESS` and `--json` list them. */
const table = {
  /** Records read by map, or groups reduced. */
  recordsIn: { field: 1, kind: "count", total: "sum", inManifest: true },
  bytesIn: { field: 2, kind: "count", total: "sum", inManifest: true },
  /** Pairs emitted by map before combining, or pairs read by reduce. */
  pairs: { field: 3, kind: "count", total: "sum", inManifest: true },
  recordsOut: { field: 4, kind: "count", total: "sum", inManifest: true },
  bytesOut: { field: 5, kind: "count", total: "sum", inManifest: true },
  /** Bytes of runs written to the memory tier, spills and merges included. */
  memoryRunBytes: { field: 6, kind: "count", total: "sum", inManifest: true },
  /** The same of runs written to disk. */
  diskRunBytes: { field: 7, kind: "count", total: "sum", inManifest: true },
  spills: { field: 8, kind: "count", total: "sum", inManifest: true },
  groups: { field: 9, kind: "count", total: "sum", inManifest: true },
  /** Most values of one key. */
  groupMax: { field: 10, kind: "count", total: "max", inManifest: true },
  /** Bytes of map outputs that came from other workers, repeated ones included. */
  fetchedBytes: { field: 12, kind: "count", total: "sum", inManifest: true },
  /** 1: calls of map or reduce returned something that they may have meant to emit. */
  valuesReturned: { field: 13, kind: "count", total: "sum", inManifest: false },
  /** 1: the job's code had a timer open long after its calls. */
  timersLeft: { field: 16, kind: "count", total: "sum", inManifest: false },
  /** 1: it had something else open that keeps a process. */
  othersLeft: { field: 17, kind: "count", total: "sum", inManifest: false },
  /** Line ends inside records that were put aside: each record stands for one line and these. */
  asideLines: { field: 14, kind: "count", total: "sum", inManifest: true },
  /** Bytes of records that were put aside. */
  asideBytes: { field: 15, kind: "count", total: "sum", inManifest: true },
  /** 1: the attempt has gone on where an earlier one had made a checkpoint. */
  resumed: { field: 18, kind: "count", total: "sum", inManifest: false },
  /** Records, or groups, that it did not have to do again. */
  resumedRecords: { field: 19, kind: "count", total: "sum", inManifest: false },
  /** The time that earlier attempts had spent on them. */
  resumedMs: { field: 20, kind: "duration", total: "sum", inManifest: false },
  /** Checkpoints that it has written. */
  checkpoints: { field: 21, kind: "count", total: "sum", inManifest: false },
  wallMs: { field: 11, kind: "duration", total: "sum", inManifest: true },
} as const satisfies Readonly<Record<string, Stat>>;

/** What an attempt did; of a job, the totals over its winners. */
export type AttemptStats = { readonly [Name in keyof typeof table]: number };
/** The same, while it is being added up or read. */
export type Sums = { -readonly [Name in keyof AttemptStats]: number };
export type StatName = keyof AttemptStats;
type Named<Kind extends Stat["kind"]> = {
  [Name in StatName]: (typeof table)[Name]["kind"] extends Kind ? Name : never;
}[StatName];

export const attemptStats: Readonly<Record<StatName, Stat>> = table;
export const statNames = Object.keys(table) as StatName[];
export const countNames = statNames.filter((name) => table[name].kind === "count") as Named<"count">[];
export const durationNames = statNames.filter((name) => table[name].kind === "duration") as Named<"duration">[];

/** The statistics of an attempt that did no work. */
export const noStats = Object.fromEntries(statNames.map((name) => [name, 0])) as AttemptStats;

/** Adds what one winner did to what the others did. */
export function addStats(sums: Sums, stats: AttemptStats): void {
  for (const name of statNames) {
    // They stay numbers that can be stored, whatever attempts report.
    if (table[name].total === "max") sums[name] = Math.max(sums[name], stats[name]);
    else sums[name] = Math.min(Number.MAX_SAFE_INTEGER, sums[name] + stats[name]);
  }
}

/** What `_SUCCESS` says of them. */
export function manifestStats(stats: AttemptStats): Readonly<Record<string, number>> {
  const rounded = roundedStats(stats);
  const names = statNames.filter((name) => table[name].inManifest);
  return Object.fromEntries(names.map((name) => [name, rounded[name]]));
}

/** As they are shown: times are sums of fractions of milliseconds, of which no one needs sixteen digits. */
export function roundedStats(stats: AttemptStats): AttemptStats {
  return { ...stats, ...Object.fromEntries(durationNames.map((name) => [name, Math.round(stats[name])])) };
}
