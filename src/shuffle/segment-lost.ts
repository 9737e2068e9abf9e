import { assert } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

/**
 * A map's output is gone or damaged. That map runs again, and the failure does not count against the task that noticed
 * it.
 */
export class SegmentLost extends MillraceError {
  /** The map attempt that wrote the run. */
  readonly map: AttemptId;
  /** How it was lost, as in the reported failure. */
  readonly how: "missing" | "corrupt" | "unreachable";
  /** Other map attempts whose runs are missing or damaged in the same place: a disk seldom loses just one file. */
  readonly others: readonly AttemptId[];

  constructor(map: AttemptId, how: SegmentLost["how"], cause: unknown, others: readonly AttemptId[] = []) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super("segment-lost", `the output of ${attemptName(map)} is lost: ${why}`, { retry: "elsewhere", cause });
    this.map = map;
    this.how = how;
    this.others = others;
  }
}

/** Puts all of them into one error, the first in front, with at most as many others as a message has room for. */
export function lostTogether(lost: readonly SegmentLost[]): SegmentLost {
  const [first, ...rest] = lost;
  assert(first !== undefined, "something was lost");
  const others = [...first.others, ...rest.flatMap((one) => [one.map, ...one.others])];
  return new SegmentLost(first.map, first.how, first.cause, others.slice(0, limits.lostMapsMax));
}

/**
 * Calls `read`. An error that says that the run can't be had or is damaged becomes a `SegmentLost` of its map attempt.
 */
export function namingLoss<T>(map: AttemptId, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MillraceError && (error.code === "corrupt-run" || error.code === "segment-lost")) {
      if (error instanceof SegmentLost) throw error;
      throw new SegmentLost(map, error.code === "corrupt-run" ? "corrupt" : "missing", error);
    }
    throw error; // too many open files or no permission: this is about this machine, not about the map's output
  }
}
