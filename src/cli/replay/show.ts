// Prints a replayed record: what map emitted and counted for it, or its error.

import { formatCount, formatCounted } from "../../base/units.ts";
import type { ReplayResult } from "../../task/replay.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { readable } from "./readable.ts";

export function* emissionLines({ pairs, pairCount, records, counters, failed }: ReplayResult): Generator<string> {
  const before = failed === undefined ? "" : " before it failed";
  if (pairCount === 0 && records.length === 0) yield `emitted nothing${before}`;
  if (pairCount > 0) {
    yield `emitted ${formatCounted(pairCount, "pair")}${before}`;
    for (const { key, value } of pairs) {
      yield `  ${readable(key, { oneLine: true })}  ${pc.dim("→")}  ${readable(value, { oneLine: true })}`;
    }
    if (pairCount > pairs.length) yield `  and ${formatCount(pairCount - pairs.length)} more`;
  }
  for (const output of new Set(records.map((record) => record.output))) {
    const own = records.filter((record) => record.output === output);
    yield `emitted ${formatCounted(own.length, "record")}${output === "main" ? "" : ` to ${output}`}${before}`;
    for (const { record } of own) yield `  ${readable(record, { oneLine: true })}`;
  }
  const totals = Object.entries(counters);
  if (totals.length > 0) yield "counted";
  for (const [name, n] of totals) yield `  ${printable(name)}: ${formatCount(n)}`;
}
