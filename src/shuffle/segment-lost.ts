import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";

/** A map's output is gone or damaged: that map runs again, and this is not counted against the task that noticed. */
export class SegmentLost extends MillraceError {
  /** The map attempt whose run it is. */
  readonly map: AttemptId;
  /** As in the failure that is reported of it. */
  readonly how: "missing" | "corrupt" | "unreachable";

  constructor(map: AttemptId, how: SegmentLost["how"], cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super("segment-lost", `the output of ${attemptName(map)} is lost: ${why}`, { retry: "elsewhere", cause });
    this.map = map;
    this.how = how;
  }
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
