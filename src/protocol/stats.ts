import type { AttemptStats } from "./messages.ts";

/** Of who did nothing. */
export const noStats: AttemptStats = {
  recordsIn: 0,
  bytesIn: 0,
  pairs: 0,
  recordsOut: 0,
  bytesOut: 0,
  memoryRunBytes: 0,
  diskRunBytes: 0,
  spills: 0,
  groups: 0,
  groupMax: 0,
  fetchedBytes: 0,
  valuesReturned: 0,
  timersLeft: 0,
  othersLeft: 0,
  asideLines: 0,
  asideBytes: 0,
  wallMs: 0,
};
