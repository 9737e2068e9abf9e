// The live view of a job: on a terminal a few lines rewritten in place, elsewhere a line every few seconds. It goes to
// standard error, so that standard output carries nothing but the result.
import { limits } from "../../base/limits.ts";
import { formatBytes, formatCount, formatCounted, formatDuration } from "../../base/units.ts";
import { Pace } from "../../engine/pace.ts";
import type { RunProgress } from "../../job/progress.ts";
import { hasEnded, type JobView, type WaitingFor } from "../../protocol/view.ts";
import { pc } from "./colour.ts";
import { fromHere, printable } from "./error-text.ts";
import { clip, oneLine, widthOf } from "./width.ts";

export interface ProgressSink {
  write(text: string): void;
  readonly columns: number;
}

/** Rewrites its lines in place at each `update`; `clear` removes them. */
export class TerminalProgress {
  readonly #sink: ProgressSink;
  readonly #pace: Pace;
  #linesShown = 0;
  readonly #warnings = new Warnings();

  constructor(sink: ProgressSink, startedMs: number) {
    this.#sink = sink;
    this.#pace = new Pace(startedMs);
  }

  update(view: JobView, nowMs: number): void {
    const { columns } = this.#sink;
    const warnings = this.#warnings.next(view);
    const lines = progressLines(this.#pace.update(view, nowMs), columns);
    const up = this.#linesShown > 0 ? upBy(this.#linesShown) : "";
    this.#sink.write(`${up}${[...warnings, ...lines].map((line) => `${line}\n`).join("")}`);
    this.#linesShown = lines.length;
  }

  /** Removes the live lines, which the summary replaces. May be called again. */
  clear(): void {
    if (this.#linesShown > 0) this.#sink.write(upBy(this.#linesShown));
    this.#linesShown = 0;
  }
}

/** Goes to the first column first, because the terminal echoes Ctrl-C as two characters. */
function upBy(lines: number): string {
  return `\r\x1b[${lines}A\x1b[0J`;
}

/** Prints one line every `everyMs`, and each failure once. */
export class LineProgress {
  readonly #sink: ProgressSink;
  readonly #pace: Pace;
  readonly #everyMs: number;
  #nextMs: number;
  readonly #warnings = new Warnings();

  constructor(sink: ProgressSink, startedMs: number, everyMs = 3_000) {
    this.#sink = sink;
    this.#pace = new Pace(startedMs);
    this.#everyMs = everyMs;
    this.#nextMs = startedMs + everyMs;
  }

  update(view: JobView, nowMs: number): void {
    for (const line of this.#warnings.next(view)) this.#sink.write(`${line}\n`);
    const progress = this.#pace.update(view, nowMs);
    if (nowMs < this.#nextMs || hasEnded(view.state)) return; // the summary says how it ended
    this.#nextMs = nowMs + this.#everyMs;
    this.#sink.write(`${progressLine(progress)}\n`);
  }

  clear(): void {}
}

/** Prints each failure once, and nothing else: `--no-progress`. */
export class NoProgress {
  readonly #sink: ProgressSink;
  readonly #warnings = new Warnings();

  constructor(sink: ProgressSink) {
    this.#sink = sink;
  }

  update(view: JobView): void {
    for (const line of this.#warnings.next(view)) this.#sink.write(`${line}\n`);
  }

  clear(): void {}
}

/** More lines than these could be more than the terminal has, and then they can't be rewritten in place. */
const slowMax = 3;
/** Fewer columns of a key say nothing. */
const keyMin = 6;
const barMin = 8;
const barMax = 40;
/** What stands before the content of a line: two blanks, a word, blanks. */
const labelWidth = 9;

/**
 * The screen of a job, for a terminal of a given number of columns. What there is no room for is left out, the least
 * important first; nothing but a user's own words is cut.
 */
export function progressLines(progress: RunProgress, columns: number): string[] {
  const lines = [...headLines(progress, columns)];
  if (progress.waiting !== undefined)
    lines.push(
      ...packed(waitingWords[progress.waiting].split(" "), " ", columns - 3).map((line) => pc.yellow(`  ${line}`)),
    );
  for (const phase of ["map", "reduce"] as const) {
    const { done, running, total } = progress.tasks[phase];
    if (total === 0) continue;
    const fraction = phase === "map" && done < total ? (progress.percent ?? 0) / 100 : done / total;
    // Rounded down: what is shown as all is all.
    const percent = `${Math.floor(100 * fraction)} %`.padStart(5);
    const tail = fitted(
      [`${percent}  ${done}/${total}`, ...(running === 0 ? [] : [`${running} running`])],
      " · ",
      columns - labelWidth - barMin - 2,
    );
    const width = Math.max(barMin, Math.min(barMax, columns - labelWidth - widthOf(tail) - 2));
    lines.push(labelled(phase, `${bar(fraction, width)} ${tail}`));
  }
  const room = columns - labelWidth - 1;
  for (const [i, line] of packed(readParts(progress), " · ", room).entries())
    lines.push(labelled(i === 0 ? "read" : "", pc.dim(line)));
  const counters = countersLine(progress, room);
  if (counters !== undefined) lines.push(labelled("count", pc.dim(counters)));
  if (progress.spilledBytes > 0) lines.push(labelled("spill", pc.dim(`${formatBytes(progress.spilledBytes)} to disk`)));
  if (progress.deadLetters > 0)
    lines.push(labelled("aside", pc.yellow(formatCounted(progress.deadLetters, "bad record"))));
  for (const task of progress.slow.slice(0, slowMax))
    lines.push(pc.yellow(fitted(slowParts(task, columns - 1), " ", columns - 1)));
  if (progress.slow.length > slowMax)
    lines.push(pc.yellow(`  and ${formatCounted(progress.slow.length - slowMax, "task")} more`));
  return lines.map((line) => clip(line, columns));
}

/** The same on one line, for a log. */
function progressLine(progress: RunProgress): string {
  const phases = (["map", "reduce"] as const).filter((phase) => progress.tasks[phase].total > 0);
  const left = leftText(progress);
  return [
    `${progress.name} ${progress.state}`,
    ...phases.map((phase) => `${phase} ${progress.tasks[phase].done}/${progress.tasks[phase].total}`),
    ...readParts(progress),
    ...(progress.spilledBytes > 0 ? [`${formatBytes(progress.spilledBytes)} spilled to disk`] : []),
    ...(progress.deadLetters > 0 ? [formatCounted(progress.deadLetters, "bad record")] : []),
    ...(progress.waiting === undefined ? [] : [waitingWords[progress.waiting]]),
    formatDuration(progress.elapsedMs),
    ...(left === undefined ? [] : [left]),
    ...progress.slow.map((task) => slowParts(task, Number.POSITIVE_INFINITY).join(" ").trim()),
  ].join(" · ");
}

/** The time left stands in a line of its own where there is no room behind the others. */
function headLines(progress: RunProgress, columns: number): string[] {
  const room = columns - 1;
  const name = oneLine(progress.name, Math.floor(room / 2));
  const head = fitted([pc.bold(name), progress.state, formatDuration(progress.elapsedMs)], "  ", room);
  const left = leftText(progress);
  if (left === undefined) return [head];
  return widthOf(head) + 2 + left.length <= room ? [`${head}  ${pc.dim(left)}`] : [head, pc.dim(`  ${left}`)];
}

function leftText({ leftMs, state, tasks }: RunProgress): string | undefined {
  if (leftMs === undefined) return undefined;
  // While maps run it is not known how long the reduces will take, so the estimate says that it is for the maps.
  const of = state === "mapping" && tasks.reduce.total > 0 ? " of map" : "";
  const left = roughly(leftMs);
  return `about ${left < 60_000 ? `${left / 1000} s` : formatDuration(left)}${of} left`;
}

/** An estimate says no more than it knows. */
function roughly(ms: number): number {
  const step = ms < 10_000 ? 1_000 : ms < 60_000 ? 5_000 : ms < 600_000 ? 10_000 : 60_000;
  return Math.max(step, Math.round(ms / step) * step);
}

/** What has been read, the most important part first. */
function readParts({ bytes, inputBytes, percent, bytesPerSecond, records }: RunProgress): string[] {
  return [
    percent === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(inputBytes)}`,
    ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
    formatCounted(records, "record"),
  ];
}

/** As many counters as there is room for, in the order of their names; undefined: there are none. */
function countersLine({ counters }: RunProgress, room: number): string | undefined {
  const names = Object.keys(counters);
  let line: string | undefined;
  for (const [i, name] of names.entries()) {
    const next = `${oneLine(name, Math.floor(room / 2))}: ${formatCount(counters[name]!)}`;
    const rest = ` · ${names.length - i} more`;
    const isLast = i === names.length - 1;
    const longer = line === undefined ? next : `${line} · ${next}`;
    if (widthOf(longer) + (isLast ? 0 : rest.length) > room) return line === undefined ? next : line + rest;
    line = longer;
  }
  return line;
}

/** `room` has an end on a screen: a key is cut to what is left of it. */
function slowParts({ phase, index, ms, on, at, key }: RunProgress["slow"][number], room: number): string[] {
  const head = [`  ${phase} ${index}:`, formatDuration(ms)];
  if (on === "key") {
    const keyRoom = room - widthOf(`${head.join(" ")} on the key `);
    const which =
      key === undefined || keyRoom < keyMin
        ? "on one key"
        : `on the key ${oneLine(key, Math.min(keyRoom, limits.keyExcerptBytes))}`;
    return [...head, which, "(it has many values)"];
  }
  const where = at === undefined ? [] : [`(file ${at.file}, offset ${at.offset})`];
  return [...head, `on one ${phase === "reduce" ? "key" : "record"}`, ...where];
}

/** Why nothing of a job runs. This can only happen on a cluster. */
const waitingWords: Readonly<Record<WaitingFor, string>> = {
  "no workers": "waits: there is no worker to run it",
  "workers draining": "waits: all workers are draining",
  "workers quarantined": "waits: all workers are quarantined, because they came and went too often",
  "no free slots": "waits for a free slot: other jobs have them all",
};

function labelled(label: string, content: string): string {
  return `  ${label.padEnd(labelWidth - 2)}${content}`;
}

function bar(fraction: number, width: number): string {
  const full = Math.floor(Math.min(1, Math.max(0, fraction)) * width);
  return `${pc.green("━".repeat(full))}${pc.dim("─".repeat(width - full))}`;
}

/** The first of the parts, and as many of the others as there is room for. */
function fitted(parts: readonly string[], between: string, columns: number): string {
  let line = parts[0]!;
  for (const part of parts.slice(1)) {
    if (widthOf(line) + between.length + widthOf(part) > columns) return line;
    line += between + part;
  }
  return line;
}

/** All parts, in as many lines as they need. */
function packed(parts: readonly string[], between: string, columns: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last === undefined || widthOf(last) + between.length + widthOf(part) > columns) lines.push(part);
    else lines[lines.length - 1] = last + between + part;
  }
  return lines;
}

/**
 * Warnings shown per task: a full disk fails a task many times a second, and the final failure says how often it was
 * tried.
 */
const warningsPerTask = 3;

/** Makes a warning of each attempt that has failed since the last look and is tried again. */
class Warnings {
  readonly #counts = new Map<string, number>();
  /**
   * The number of the next failure; undefined before the first view, whose failures are from the run that is being
   * resumed.
   */
  #next: number | undefined;

  /**
   * New warnings of a view. The failure that ended the job is left out: it is not tried again, and is shown in full
   * elsewhere.
   */
  next(view: JobView): string[] {
    const from = this.#next ?? Number.POSITIVE_INFINITY;
    const news = view.failures.filter(({ number }) => number >= from);
    this.#next = (view.failures.at(-1)?.number ?? -1) + 1;
    if (view.state === "failed") return [];
    return news.flatMap(({ task, error }) => {
      const times = (this.#counts.get(task) ?? 0) + 1;
      this.#counts.set(task, times);
      if (times > warningsPerTask + 1) return [];
      if (times > warningsPerTask)
        return [pc.yellow(`warning: ${task} is tried again and again; further tries are not shown`)];
      const place = error.where === undefined ? "" : ` at ${printable(error.where)}`;
      return [pc.yellow(`warning: ${task} is tried again: ${shortened(printable(error.message))}${place}`)];
    });
  }
}

function shortened(message: string): string {
  const line = fromHere(message).replaceAll("\n", " ");
  return line.length <= limits.excerptBytes ? line : `${line.slice(0, limits.excerptBytes - 1)}…`;
}
