// Records that map does not get (again): those on which an earlier attempt died, and those whose pairs could not be
// taken back.
import { MillraceError } from "../../base/error.ts";
import type { Position } from "../../base/ids.ts";
import type { RecordBatch } from "../../format/format.ts";
import type { SkippedRecord } from "../../protocol/messages.ts";
import type { RecordOrigin } from "./record-call.ts";

/** By file and offset. */
export type PutAside = ReadonlyMap<number, ReadonlyMap<number, AsideReason>>;

export interface AsideReason {
  readonly thrown: unknown;
  /** The code for errors that have none. */
  readonly code: "user-error" | "bad-input" | "slot-died" | "task-timeout";
  /** Set where the scheduler has decided it, and counted the record as a dead letter. */
  readonly isCounted?: true;
}

const diedOn: AsideReason = {
  thrown: new MillraceError("slot-died", "the slot's process died on it, whenever map was called for it"),
  code: "slot-died",
};
const hungOn: AsideReason = {
  thrown: new MillraceError(
    "task-timeout",
    "map made no progress on it for --task-timeout, whenever it was called for it",
  ),
  code: "task-timeout",
};

/** Records that are not given to map, and why. */
export class Aside extends Map<number, Map<number, AsideReason>> {
  constructor(skip: readonly SkippedRecord[]) {
    super();
    for (const { hung, ...position } of skip) this.add(position, { ...(hung ? hungOn : diedOn), isCounted: true });
  }

  add({ file, offset }: Position, reason: AsideReason): void {
    this.set(file, (this.get(file) ?? new Map<number, AsideReason>()).set(offset, reason));
  }
}

/**
 * Thrown where a record can be put aside only by mapping the split again without it, because its pairs have been handed
 * on.
 */
export class Remap extends Error {
  readonly origin: RecordOrigin;
  readonly thrown: unknown;

  constructor(origin: RecordOrigin, thrown: unknown) {
    super(`map again without ${origin.source}:${origin.offset}`);
    this.origin = origin;
    this.thrown = thrown;
  }
}

/** The index of the first record from `from` on that has to be put aside; the number of records where there is none. */
export function nextAside(batch: RecordBatch<unknown>, from: number, aside: ReadonlyMap<number, AsideReason>): number {
  let i = from;
  while (i < batch.records.length && !aside.has(batch.starts[i]!)) i++;
  return i;
}
