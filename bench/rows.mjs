// Rows of the table: a ratio of two contestants, or of a figure and what it may be, or why there is none.
import { median, ratio, spread } from "./ratios.mjs";

const MiB = 2 ** 20;

/**
 * Seconds of `a` over those of `b`. `row` is { key, what, size, goal, better }. `size` is MB of input, which recorded
 * ratios must share to be compared; `better` is "larger" where a larger ratio is better, also without a goal.
 */
export function timeRow(row, all, a, b) {
  const trouble = troubleOf(all, [a, b]);
  if (trouble !== undefined) return { ...row, absent: trouble };
  const [left, right] = [all.get(a).results, all.get(b).results];
  const of = (results) => ({
    seconds: median(results.map((result) => result.seconds)),
    peakMiB: Math.round(median(results.map((result) => result.peakBytes)) / MiB),
  });
  const measured = { [a]: of(left), [b]: of(right) };
  return { ...row, ...ratio(left, right), measured, rounds: { [a]: left, [b]: right } };
}

/** A figure of the first of these contestants' rounds, for which all of them are needed: `figure(result, round)`. */
export function figureRow(row, all, names, figure) {
  const trouble = troubleOf(all, names);
  if (trouble !== undefined) return { ...row, absent: trouble };
  const rounds = Object.fromEntries(names.map((name) => [name, all.get(name).results]));
  return { ...row, ...spread(all.get(names[0]).results.map(figure)), rounds };
}

/** A row that is not a comparison of contestants in rotation. */
export function valuesRow(row, values) {
  return { ...row, ...spread(values), rounds: { values } };
}

function troubleOf(all, names) {
  const troubles = names.filter((name) => all.get(name).trouble !== undefined);
  return troubles.length === 0 ? undefined : troubles.map((name) => `${name}: ${all.get(name).trouble}`).join("; ");
}
