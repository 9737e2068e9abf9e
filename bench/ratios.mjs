// Ratios of measured rounds, and whether one is worse than the recorded one or misses its goal. No input, no output:
// tested.

/** Worse by less than this share of the recorded median is noise, whatever the recorded spread was. */
const noise = 0.15;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median, smallest and largest of values of which there is one per round. */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** a / b, formed within each round, so that a slow minute slows both. `figure`: which number of a result. */
export function ratio(a, b, figure = "seconds") {
  return spread(a.map((result, round) => result[figure] / b[round][figure]));
}

/** `goal`: { atMost } or { atLeast }; undefined where there is none. */
export function meetsGoal(row) {
  if (row.goal === undefined) return undefined;
  return row.goal.atLeast === undefined ? row.median <= row.goal.atMost : row.median >= row.goal.atLeast;
}

export function goalText(goal) {
  if (goal === undefined) return "";
  return goal.atLeast === undefined ? `<= ${goal.atMost}` : `>= ${goal.atLeast}`;
}

/**
 * How much worse a row is than the recorded one of the same key and size, as a share (0.2: a fifth; negative: better),
 * and whether that is more than noise: more than 15 %, and more than the distance from the recorded median to the worst
 * recorded round. Larger is worse, except where the goal is a minimum or `better` says so. Undefined: nothing
 * comparable is recorded.
 */
export function comparedWithRecorded(row, recorded) {
  if (recorded === undefined || recorded.size !== row.size) return undefined;
  const larger = row.goal?.atLeast !== undefined || row.better === "larger";
  const worse = larger ? recorded.median / row.median - 1 : row.median / recorded.median - 1;
  const seen = larger ? recorded.median / recorded.min - 1 : recorded.max / recorded.median - 1;
  return { recorded: recorded.median, worse, regressed: worse > Math.max(noise, seen) };
}
