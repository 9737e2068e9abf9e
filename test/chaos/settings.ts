// What a run of chaos is: `npm run chaos` (scripts/chaos.mjs) sets it, and CI has the defaults.
export interface Settings {
  readonly seed: number;
  /** How long faults come. */
  readonly seconds: number;
  /** From one to the next: thrown for each. */
  readonly everyMs: readonly [least: number, most: number];
  /** Where the report goes, as JSON; undefined: nowhere. */
  readonly report: string | undefined;
}

/** The cluster's, after which a worker that is not heard counts as gone. */
export const leaseMs = 2000;
export const workers = ["w1", "w2", "w3", "w4", "w5"] as const;
export const slotsPerWorker = 2;

export function settingsOf(env: Readonly<Record<string, string | undefined>>): Settings {
  const [least = 1, most = least] = (env["CHAOS_EVERY"] ?? "1-4").split("-").map(Number);
  const seed = Number(env["CHAOS_SEED"] ?? "1");
  const seconds = Number(env["CHAOS_SECONDS"] ?? "60");
  for (const [name, value] of Object.entries({ CHAOS_SEED: seed, CHAOS_SECONDS: seconds, CHAOS_EVERY: least * most }))
    if (!(value > 0)) throw new Error(`${name} is a number above 0`);
  return { seed, seconds, everyMs: [least * 1000, most * 1000], report: env["CHAOS_REPORT"] };
}
