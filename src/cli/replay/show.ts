// Prints what replayed code came to: what it emitted and counted, or its error.
import { exitCodeOfCode } from "../../base/error-codes.ts";
import { formatCount, formatCounted } from "../../base/units.ts";
import type { TaskFailure } from "../../task/failure.ts";
import type { ReplayResult } from "../../task/replay/record.ts";
import { pc } from "../screen/colour.ts";
import { failureLines, printable } from "../screen/error-text.ts";
import { readable } from "./readable.ts";

export type Emissions = Pick<ReplayResult, "records" | "recordCounts" | "counters"> & {
  /** Undefined: reduce emits none. */
  readonly pairs?: ReplayResult["pairs"];
  readonly pairCount?: number;
  readonly failed: unknown;
};

export function* emissionLines(emissions: Emissions): Generator<string> {
  const { pairs = [], pairCount = 0, records, recordCounts, counters, failed } = emissions;
  const before = failed === undefined ? "" : " before it failed";
  if (pairCount === 0 && records.length === 0) yield `emitted nothing${before}`;
  if (pairCount > 0) {
    yield `emitted ${formatCounted(pairCount, "pair")}${before}`;
    for (const { key, value } of pairs) {
      yield `  ${readable(key, { oneLine: true })}  ${pc.dim("→")}  ${readable(value, { oneLine: true })}`;
    }
    yield* moreLine(pairCount - pairs.length);
  }
  for (const [output, count] of recordCounts) {
    yield `emitted ${formatCounted(count, "record")}${output === "main" ? "" : ` to ${output}`}${before}`;
    const own = records.filter((record) => record.output === output);
    for (const { record } of own) yield `  ${readable(record, { oneLine: true })}`;
    yield* moreLine(count - own.length);
  }
  const totals = Object.entries(counters);
  if (totals.length > 0) yield "counted";
  for (const [name, n] of totals) yield `  ${printable(name)}: ${formatCount(n)}`;
}

/** Says how many things there are that are not listed. */
export function* moreLine(more: number): Generator<string> {
  if (more > 0) yield `  and ${formatCount(more)} more`;
}

/** Shows an error as that of a run is shown, and sets the exit code. */
export function showFailure({ reason }: TaskFailure): void {
  const [first, ...others] = failureLines(reason.error);
  process.stderr.write(`${pc.red("error:")} ${first}\n${others.map((line) => `${line}\n`).join("")}`);
  process.exitCode = exitCodeOfCode(reason.error.code);
}
