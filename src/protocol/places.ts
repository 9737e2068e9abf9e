// Joins the places of map outputs from their pages, as they come.
import type { Places, PlacesHeld } from "./messages.ts";

/**
 * The held places with one more page; undefined where the page adds nothing: it came twice, too late, or before its
 * turn.
 */
export function joinPlaces(held: Places | undefined, page: Places): Places | undefined {
  if (held === undefined || held.mapVersion < page.mapVersion) return page.from === 0 ? page : undefined;
  if (held.mapVersion > page.mapVersion || page.from !== countRuns(held) || isWhole(held, held.mapVersion))
    return undefined;
  return { ...held, runs: [...held.runs, ...page.runs] };
}

/** Whether all runs of the version are known. */
export function isWhole(held: Places | undefined, mapVersion: number): boolean {
  return held !== undefined && held.mapVersion === mapVersion && countRuns(held) === held.total;
}

export function heldOf(held: Places): PlacesHeld {
  return { mapVersion: held.mapVersion, runs: countRuns(held) };
}

function countRuns({ runs }: Places): number {
  return runs.reduce((sum, place) => sum + place.runs.length, 0);
}
