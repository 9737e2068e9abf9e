// Sometimes-assertions: what must have happened somewhere among many seeds, or the generator is blind to it.
export const sometimes = [
  "stale attempt rejected",
  "stale epoch rejected at the store",
  "stale epoch rejected at a worker",
  "completion repeated",
  "fetch failed, map run again",
  "digest rolled back",
  "publish resumed by a successor",
  "backup attempt",
  "speculative loser",
  "corrupt block found",
  "no space",
  "poison record put aside",
  "cancelled before the decision",
  "cancel came too late",
  "submission repeated",
  "lease expired during publish",
  "worker offered its runs",
  "map output moved",
  "worker released",
  "commit cut",
  "job succeeded",
  "job failed",
  "attempt adopted by a successor",
  "reduce moved away from a cut",
  "worker quarantined",
  "worker excluded",
  "attempt given out ahead of a slot",
  "late call while its attempt ran",
  "late call before its job closed",
  "late call while its worker was asked",
  "late call after the decision",
  "late call told after the decision",
  "job failed by a late call",
  "answered with the last result",
  "answered before the decision",
  "worker lost while it was asked",
  "master changed while workers were asked",
  "silent slot killed",
  "staged file gone before the decision",
  "decision withdrawn",
] as const;

export type Sighting = (typeof sometimes)[number];

/** Counts of one world. */
export class Sightings {
  readonly seen: Partial<Record<Sighting, number>> = {};

  saw(what: Sighting): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1;
  }
}
