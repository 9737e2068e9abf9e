// The live view of a job: on a terminal a few lines rewritten in place, elsewhere a line every few seconds. It goes to
// standard error, so that standard output carries nothing but the result.
import pc from "picocolors";
import type { Phase } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { formatBytes, formatCount, formatDuration } from "../../base/units.ts";
import { hasEnded, type JobView, type TaskCounts, type WaitingFor } from "../../protocol/view.ts";
import { fromHere, printable } from "./error-text.ts";

export interface ProgressSink {
  write(text: string): void;
  readonly columns: number;
}

/** A task that takes longer than this on one record is named with the record. */
const slowRecordMs = 60_000;
const barWidth = 24;
/** The sequences with which picocolors sets colours. */
const colourAt = new RegExp(`^${String.fromCharCode(27)}\\[[0-9;]*m`);

/** Rewrites its lines in place at each `update`; `clear` removes them. */
export class TerminalProgress {
  readonly #sink: ProgressSink;
  readonly #started: number;
  #linesShown = 0;
  readonly #warnings = new Warnings();

  constructor(sink: ProgressSink, startedMs: number) {
    this.#sink = sink;
    this.#started = startedMs;
  }

  update(view: JobView, nowMs: number): void {
    const warnings = this.#warnings.next(view);
    const lines = [...progressLines(view, nowMs - this.#started)].map((line) => clip(line, this.#sink.columns));
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
  readonly #started: number;
  readonly #everyMs: number;
  #nextMs: number;
  readonly #warnings = new Warnings();

  constructor(sink: ProgressSink, startedMs: number, everyMs = 3_000) {
    this.#sink = sink;
    this.#started = startedMs;
    this.#everyMs = everyMs;
    this.#nextMs = startedMs + everyMs;
  }

  update(view: JobView, nowMs: number): void {
    for (const line of this.#warnings.next(view)) this.#sink.write(`${line}\n`);
    if (nowMs < this.#nextMs || hasEnded(view.state)) return; // the summary says how it ended
    this.#nextMs = nowMs + this.#everyMs;
    this.#sink.write(`${view.name} ${phaseWord(view)} ${counts(view)} ${formatDuration(nowMs - this.#started)}\n`);
  }

  clear(): void {}
}

export function* progressLines(view: JobView, elapsedMs: number): Generator<string> {
  const eta = remainingMs(view, elapsedMs);
  // While maps run it is not known how long the reduces will take, so the estimate says that it is for the maps.
  const of = view.state === "mapping" && view.tasks.reduce.total > 0 ? " of map" : "";
  const left = eta === undefined ? "" : pc.dim(`  about ${formatDuration(eta)}${of} left`);
  yield `${pc.bold(view.name)}  ${phaseWord(view)}  ${formatDuration(elapsedMs)}${left}`;
  if (view.waiting !== undefined) yield pc.yellow(`  ${waitingWords[view.waiting]}`);
  for (const phase of ["map", "reduce"] as const) {
    const tasks = view.tasks[phase];
    if (tasks.total > 0)
      yield `  ${phase.padEnd(6)} ${bar(tasks, phaseFraction(view, phase))} ${tasks.done}/${tasks.total}${tasks.running > 0 ? pc.dim(` · ${tasks.running} running`) : ""}`;
  }
  const { records, bytes } = readSoFar(view);
  const rate = elapsedMs > 0 ? `${formatBytes((bytes * 1000) / elapsedMs)}/s` : "";
  const spilled = view.stats.map.diskRunBytes + view.stats.reduce.diskRunBytes;
  yield pc.dim(
    `  ${formatCount(records)} records · ${formatBytes(bytes)} · ${rate}${spilled > 0 ? ` · ${formatBytes(spilled)} spilled to disk` : ""}${view.deadLetters > 0 ? ` · ${view.deadLetters} dead letters` : ""}`,
  );
  for (const attempt of view.running) {
    if (attempt.idleMs < slowRecordMs) continue;
    yield pc.yellow(
      `  ${attempt.attempt.phase} ${attempt.attempt.index} has been on one ${attempt.attempt.phase === "reduce" ? "key" : "record"} for ${formatDuration(attempt.idleMs)}${attempt.at === undefined ? "" : ` (file ${attempt.at.file}, offset ${attempt.at.offset})`}`,
    );
  }
}

/** Why nothing of a job runs. This can only happen on a cluster. */
const waitingWords: Readonly<Record<WaitingFor, string>> = {
  "no workers": "waits: there is no worker to run it",
  "workers draining": "waits: all workers are draining",
  "workers quarantined": "waits: all workers are quarantined, because they came and went too often",
  "no free slots": "waits for a free slot: other jobs have them all",
};

function counts(view: JobView): string {
  const { records, bytes } = readSoFar(view);
  const phases = (["map", "reduce"] as const).filter((phase) => view.tasks[phase].total > 0);
  return [
    ...phases.map((phase) => `${phase} ${view.tasks[phase].done}/${view.tasks[phase].total}`),
    `${formatCount(records)} records`,
    formatBytes(bytes),
    ...(view.waiting === undefined ? [] : [waitingWords[view.waiting]]),
  ].join(" · ");
}

/** The input that winners have read, and attempts that run now have read so far. */
function readSoFar(view: JobView): { records: number; bytes: number } {
  let records = view.stats.map.recordsIn;
  let bytes = view.stats.map.bytesIn;
  for (const attempt of view.running) {
    if (attempt.attempt.phase !== "map") continue;
    records += attempt.records;
    bytes += attempt.bytes;
  }
  return { records, bytes };
}

function phaseFraction(view: JobView, phase: Phase): number {
  const tasks = view.tasks[phase];
  if (phase === "map" && view.stats.inputBytes > 0) return Math.min(1, readSoFar(view).bytes / view.stats.inputBytes);
  return tasks.total === 0 ? 0 : tasks.done / tasks.total;
}

/**
 * Estimates the rest of the current phase by its rate so far; undefined while that would be a guess: before a tenth of
 * the map phase and two seconds are over, and before a reduce has finished.
 */
export function remainingMs(view: JobView, elapsedMs: number): number | undefined {
  if (elapsedMs < 2_000) return undefined;
  if (view.state === "mapping") {
    const done = phaseFraction(view, "map");
    return done < 0.1 ? undefined : (elapsedMs * (1 - done)) / done;
  }
  const { done, total } = view.tasks.reduce;
  if (view.state !== "reducing" || done === 0) return undefined;
  const reduceMs = view.stats.reduce.wallMs / Math.max(1, done);
  const parallel = Math.max(1, view.tasks.reduce.running);
  return ((total - done) * reduceMs) / parallel;
}

function bar(tasks: TaskCounts, fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, tasks.done === tasks.total ? 1 : fraction)) * barWidth);
  return `${pc.green("━".repeat(full))}${pc.dim("─".repeat(barWidth - full))}`;
}

function phaseWord(view: JobView): string {
  return view.state;
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
        return [pc.yellow(`warning ${task} is tried again and again; further tries are not shown`)];
      const place = error.where === undefined ? "" : ` at ${printable(error.where)}`;
      return [pc.yellow(`warning ${task} is tried again: ${shortened(printable(error.message))}${place}`)];
    });
  }
}

function shortened(message: string): string {
  const line = fromHere(message).replaceAll("\n", " ");
  return line.length <= limits.excerptBytes ? line : `${line.slice(0, limits.excerptBytes - 1)}…`;
}

/** Cuts a line to the terminal's width, so that moving up by lines stays right. Colour sequences take no width. */
export function clip(line: string, columns: number): string {
  let width = 0;
  let at = 0;
  while (at < line.length) {
    const colour = colourAt.exec(line.slice(at));
    if (colour !== null) {
      at += colour[0].length;
      continue;
    }
    if (width === columns - 1) return `${line.slice(0, at)}\x1b[0m`;
    width++;
    at++;
  }
  return line;
}
