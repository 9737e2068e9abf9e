// The summary of a job that has ended: what was read, made and written, where the time went, and what comes next.

import { limits } from "../../base/limits.ts";
import { formatBytes, formatCount, formatCounted, formatDuration } from "../../base/units.ts";
import type { JobView } from "../../protocol/view.ts";
import { pc } from "./colour.ts";
import { failureLines, printable } from "./error-text.ts";
import { oneLine } from "./width.ts";

export interface SummaryOptions {
  /** How long the command or the job took, in milliseconds; undefined where it is not known. */
  readonly elapsedMs: number | undefined;
  /** The folder of the result; undefined when it went to standard output. */
  readonly output: string | undefined;
  /** The folder of the bad records that were put aside. */
  readonly deadLetters: string;
  /** How long each phase took. A phase that the job did not reach is missing. */
  readonly phases: readonly { readonly phase: string; readonly ms: number }[];
}

export function successLines(view: JobView, options: SummaryOptions): string[] {
  const { map, reduce } = view.stats;
  const elapsedMs = options.elapsedMs ?? 0;
  const rate = elapsedMs > 0 ? ` (${formatBytes((map.bytesIn * 1000) / elapsedMs)}/s)` : "";
  const wrote = view.tasks.reduce.total > 0 ? reduce : map;
  const lines = [
    `${pc.green("done")} ${pc.bold(view.name)}${options.elapsedMs === undefined ? "" : ` in ${formatDuration(elapsedMs)}`}`,
    `  read     ${formatCounted(map.recordsIn, "record")}, ${formatBytes(map.bytesIn)}${rate}`,
  ];
  if (view.tasks.reduce.total > 0) {
    lines.push(
      `  grouped  ${formatCounted(map.pairs, "pair")} into ${formatCounted(reduce.groups, "group")}; ${largestText(view)}`,
    );
  }
  lines.push(`  wrote    ${formatCounted(wrote.recordsOut, "record")}, ${formatBytes(wrote.bytesOut)}`);
  const memory = map.memoryRunBytes + reduce.memoryRunBytes;
  const disk = map.diskRunBytes + reduce.diskRunBytes;
  if (memory + disk > 0) {
    lines.push(
      `  between  ${formatBytes(memory)} in memory, ${disk === 0 ? "nothing on disk" : `${formatBytes(disk)} on disk`}${map.spills > 0 ? `, ${formatCounted(map.spills, "spill")}` : ""}${reduce.fetchedBytes > 0 ? `, ${formatBytes(reduce.fetchedBytes)} fetched from other workers` : ""}`,
    );
  }
  if (options.phases.length > 0)
    lines.push(`  time     ${options.phases.map(({ phase, ms }) => `${phase} ${formatDuration(ms)}`).join(", ")}`);
  const resumed = resumedText(view);
  if (resumed !== undefined) lines.push(`  resumed  ${resumed}`);
  const counters = Object.entries(view.counters);
  for (const [name, value] of counters.slice(0, 50)) lines.push(`  count    ${printable(name)}: ${formatCount(value)}`);
  if (counters.length > 50) lines.push(`  count    and ${counters.length - 50} more, in _SUCCESS`);
  if (view.deadLetters > 0)
    lines.push(
      pc.yellow(
        `  skipped  ${formatCounted(view.deadLetters, "bad record")}, put aside in ${printable(options.deadLetters)} (${asideText(view)})`,
      ),
    );
  const note = returnedNote(view);
  if (note !== undefined) lines.push(pc.yellow(`  nothing  ${note}`));
  const left = leftNote(view);
  if (left !== undefined) lines.push(pc.yellow(`  left     ${left}`));
  if (options.output !== undefined) lines.push(`  output   ${printable(options.output)}`);
  return lines;
}

/** What checkpoints have saved; undefined: no task went on from one. */
export function resumedText({ stats: { map, reduce } }: Pick<JobView, "stats">): string | undefined {
  const tasks = map.resumed + reduce.resumed;
  if (tasks === 0) return undefined;
  const what = [
    ...(map.resumed > 0 ? [formatCounted(map.resumedRecords, "record")] : []),
    ...(reduce.resumed > 0 ? [formatCounted(reduce.resumedRecords, "group")] : []),
  ].join(" and ");
  const ms = map.resumedMs + reduce.resumedMs;
  return `${formatCounted(tasks, "task")} from a checkpoint: ${what}, ${formatDuration(ms)} of work, not done again`;
}

/** How large the largest group is, and its key where that is known. */
function largestText({ stats: { map, reduce }, largestGroup }: JobView): string {
  const most = formatCount(reduce.groupMax);
  // Where reduce read as many pairs as map emitted nothing was combined, and the size is that of the group itself.
  const isCombined = reduce.pairs < map.pairs;
  if (largestGroup === undefined) return `the largest has ${most}${isCombined ? " after combining" : ""}`;
  const { pairs, isEstimate } = largestGroup;
  const key = `the key ${oneLine(largestGroup.key, limits.keyExcerptBytes)}`;
  if (!isCombined) return `the largest has ${most}, ${key}`;
  const size = isEstimate ? `about ${formatCount(roughly(pairs))}` : formatCount(pairs);
  return `the largest has ${size} before combining, ${key}, and no more than ${most} after it`;
}

/** Two digits of an estimate say all that it knows. */
function roughly(count: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, count))) - 1);
  return Math.round(count / step) * step;
}

/**
 * A note for a job whose functions returned values and which emitted and counted nothing at all: they probably should
 * have emitted them. Where something was emitted, returned values are ignored in silence.
 */
export function returnedNote({ stats: { map, reduce }, counters }: JobView): string | undefined {
  if (map.recordsOut + reduce.recordsOut > 0 || Object.keys(counters).length > 0) return undefined;
  const returning = map.pairs > 0 ? (reduce.valuesReturned > 0 ? "reduce" : undefined) : "map";
  if (returning === undefined || (returning === "map" && map.valuesReturned === 0)) return undefined;
  return `${returning} returned values and emitted nothing: what it returns is ignored. Call emit for each result`;
}

/** A note about what the job's code left open after its calls, so that its tasks had to wait; undefined: nothing. */
export function leftNote({ stats: { map, reduce } }: JobView): string | undefined {
  const timers = map.timersLeft + reduce.timersLeft > 0;
  const others = map.othersLeft + reduce.othersLeft > 0;
  if (!timers && !others) return undefined;
  const what = [timers ? "a timer" : undefined, others ? "a connection, file or process" : undefined];
  return `your code left ${what.filter((each) => each !== undefined).join(" and ")} open, and was waited for: clear timers, close in teardown what setup opens (the log of the task names it)`;
}

export function failureSummary(view: JobView, hints: readonly string[]): string[] {
  const reason = view.reason;
  const lines = [`${pc.red("failed")} ${pc.bold(view.name)}`];
  if (reason !== undefined) lines.push(...failureLines(reason).map((line) => `  ${line}`));
  for (const hint of hints) lines.push(`  ${hint}`);
  return lines;
}

function asideText({ deadLetters, stats: { map } }: JobView): string {
  const lines = map.asideLines === 0 ? "" : `${formatCounted(deadLetters + map.asideLines, "line")}, `;
  return `${lines}${formatBytes(map.asideBytes)}`;
}
