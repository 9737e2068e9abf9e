// Joins the holders of map outputs from their pages, as they come.
import type { Holders, HoldersKnown } from "./messages.ts";

/**
 * The known holders with one more page; undefined where the page adds nothing: it came twice, too late, or before its
 * turn.
 */
export function joinHolders(held: Holders | undefined, page: Holders): Holders | undefined {
  if (held === undefined || held.mapVersion < page.mapVersion) return page.from === 0 ? page : undefined;
  if (held.mapVersion > page.mapVersion || page.from !== countRuns(held) || isWhole(held, held.mapVersion))
    return undefined;
  return { ...held, workers: [...held.workers, ...page.workers] };
}

/** Whether all runs of the version are known. */
export function isWhole(held: Holders | undefined, mapVersion: number): boolean {
  return held !== undefined && held.mapVersion === mapVersion && countRuns(held) === held.total;
}

export function heldOf(held: Holders): HoldersKnown {
  return { mapVersion: held.mapVersion, runs: countRuns(held) };
}

function countRuns({ workers }: Holders): number {
  return workers.reduce((sum, holder) => sum + holder.runs.length, 0);
}
