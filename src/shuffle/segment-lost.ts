import { assert } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

/** A map's output is gone or damaged: that map runs again, and this is not counted against the task that noticed. */
export class SegmentLost extends MillraceError {
  /** The map attempt whose run it is. */
  readonly map: AttemptId;
  /** As in the failure that is reported of it. */
  readonly how: "missing" | "corrupt" | "unreachable";
  /** Others that are missing or damaged where this one is: a disk seldom loses one file. */
  readonly others: readonly AttemptId[];

  constructor(map: AttemptId, how: SegmentLost["how"], cause: unknown, others: readonly AttemptId[] = []) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super("segment-lost", `the output of ${attemptName(map)} is lost: ${why}`, { retry: "elsewhere", cause });
    this.map = map;
    this.how = how;
    this.others = others;
  }
}

/** All of them as one, the first in front: so many at most as a message has room for. */
export function lostTogether(lost: readonly SegmentLost[]): SegmentLost {
  const [first, ...rest] = lost;
  assert(first !== undefined, "something was lost");
  const others = [...first.others, ...rest.flatMap((one) => [one.map, ...one.others])];
  return new SegmentLost(first.map, first.how, first.cause, others.slice(0, limits.lostMapsMax));
}

/** Does `read`; what says that the run can't be had or is damaged becomes a `SegmentLost` of its map attempt. */
export function namingLoss<T>(map: AttemptId, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MillraceError && (error.code === "corrupt-run" || error.code === "segment-lost")) {
      if (error instanceof SegmentLost) throw error;
      throw new SegmentLost(map, error.code === "corrupt-run" ? "corrupt" : "missing", error);
    }
    throw error; // too many open files, no permission: of this machine, not of the map's output
  }
}
