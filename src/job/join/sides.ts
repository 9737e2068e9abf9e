// What each kind of join needs of its two sides.
import type { How } from "./types.ts";

export type SideOf = "left" | "right";

export interface SideNeeds {
  /** Whether a key's records of this side come before those of the other. */
  readonly sortsFirst: boolean;
  /** Whether rows have the records themselves; otherwise it only counts that there are any. */
  readonly record: boolean;
  /** Whether a record that has no equal on the other side is in a row. */
  readonly unmatched: boolean;
}

/**
 * The left side comes first where its records are kept for the right ones. "semi" and "anti" have to know only whether
 * there is a right one: that comes first, so that nothing is kept.
 */
export function recordsNeeded(how: How): Readonly<Record<SideOf, SideNeeds>> {
  const asks = how === "semi" || how === "anti";
  return {
    left: { sortsFirst: !asks, record: true, unmatched: how === "left" || how === "outer" || how === "anti" },
    right: { sortsFirst: asks, record: !asks, unmatched: how === "right" || how === "outer" },
  };
}
