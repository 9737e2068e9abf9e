// The table as text.
import { comparedWithRecorded, goalText, meetsGoal } from "./ratios.mjs";

/** One line a row; `recorded`: rows by key. */
export function tableText(rows, recorded) {
  const width = Math.max(...rows.map(({ what }) => what.length));
  const head = ["median", "min", "max"].map((name) => name.padStart(7)).join(" ");
  const lines = rows.map((row) =>
    `${row.what.padEnd(width)} ${row.absent ?? figures(row, recorded[row.key])}`.trimEnd(),
  );
  return [`${"".padEnd(width)} ${head}  ${"goal".padEnd(9)} ${"recorded".padEnd(18)} s, peak MiB`, ...lines].join("\n");
}

function figures(row, recorded) {
  const { median, min, max, goal, measured = {} } = row;
  const met = { true: "ok", false: "no", undefined: "" }[meetsGoal(row)];
  const values = [median, min, max].map((value) => number(value).padStart(7)).join(" ");
  const compared = comparedWithRecorded(row, recorded);
  const both = Object.values(measured).map(({ seconds, peakMiB }) => `${seconds.toFixed(2)} s ${peakMiB}`);
  return `${values}  ${`${goalText(goal)} ${met}`.padEnd(9)} ${recordedText(recorded, compared).padEnd(18)} ${both.join(" / ")}`;
}

function recordedText(recorded, compared) {
  if (recorded === undefined) return "-";
  if (compared === undefined) return `other size (${recorded.size})`;
  return `${number(compared.recorded)}${compared.regressed ? ` ${(compared.worse * 100).toFixed(0)} % WORSE` : ""}`;
}

function number(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
