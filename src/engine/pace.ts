// How far a job is, how fast it goes and how long it will take: made from its views, one after the other, for the
// screen and for programs.
import type { RunProgress } from "../job/progress.ts";
import type { RunningAttempt } from "../protocol/messages.ts";
import type { JobView } from "../protocol/view.ts";

/** The rate that is shown is that of these last seconds. */
const windowMs = 10_000;
/** Time between two of the points that it is measured by. */
const pointMs = 250;
/** A rate over less than this is noise: attempts report twice a second. */
const rateMinMs = 1_000;

/** An estimate needs so much of the stage, and so much time in it. */
const estimateFraction = 0.05;
const estimateMinMs = 5_000;
/** The rate is steady while that of the last seconds and that of the whole stage differ by no more than this. */
const steadyFactor = 1.5;
/** An estimate that differs by more than this from what was shown before is none. */
const jumpFactor = 3;
/** A difference of so little time is no jump, however large the factor is. */
const jumpMs = 5_000;
/** A reduce that takes this many times as long as those before it has more to do than they had. */
const skewFactor = 3;

/** A task that takes longer than this on one record is named with the record. */
const slowCallMs = 60_000;
/** A reduce that reads the values of one key for this long has a hot key. */
const hotKeyMs = 10_000;
/** An attempt that is heard at least this often does something. */
const busyMs = 5_000;

interface Point {
  readonly ms: number;
  readonly done: number;
}

/** What a stage is measured by: bytes of the input, or reduces. */
interface Stage {
  readonly state: JobView["state"];
  readonly first: Point;
  /** Points of the last seconds, oldest first. */
  points: Point[];
}

export class Pace {
  readonly #startedMs: number;
  #stage: Stage | undefined;
  #shown: { readonly atMs: number; readonly leftMs: number } | undefined;
  /** How many groups each running reduce had, and since when it has no more. */
  #groups = new Map<string, { readonly records: number; readonly sinceMs: number }>();

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  /** The state of a job by its newest view. `nowMs` is that of the clock by which the run began. */
  update(view: JobView, nowMs: number): RunProgress {
    const { records, bytes } = readSoFar(view);
    const { inputBytes, map, reduce } = view.stats;
    const done = view.state === "mapping" ? bytes : view.tasks.reduce.done;
    const stage = this.#stageOf(view, { ms: nowMs, done });
    const rate = stage === undefined || view.state !== "mapping" ? undefined : rateOver(stage.points);
    const leftMs = stage === undefined ? undefined : this.#left(view, stage, nowMs);
    return {
      job: view.job,
      name: view.name,
      state: view.state,
      ...(view.waiting !== undefined && { waiting: view.waiting }),
      elapsedMs: Math.max(0, nowMs - this.#startedMs),
      records,
      bytes,
      inputBytes,
      ...(view.tasks.map.total > 0 && { percent: inputBytes === 0 ? 100 : (100 * bytes) / inputBytes }),
      ...(rate !== undefined && { bytesPerSecond: rate * 1000 }),
      ...(leftMs !== undefined && { leftMs }),
      tasks: view.tasks,
      counters: view.counters,
      spilledBytes: map.diskRunBytes + reduce.diskRunBytes,
      deadLetters: view.deadLetters,
      slow: this.#slow(view.running, nowMs),
    };
  }

  /** The stage with the newest point; undefined in a stage that is not measured. */
  #stageOf({ state }: JobView, point: Point): Stage | undefined {
    if (state !== "mapping" && state !== "reducing") {
      this.#stage = undefined;
      return undefined;
    }
    let stage = this.#stage;
    const last = stage?.points.at(-1);
    // What has to be done again makes the sum smaller: the rate begins again, as one across the gap would be wrong.
    if (stage === undefined || stage.state !== state || (last !== undefined && point.done < last.done)) {
      if (stage?.state !== state) this.#shown = undefined;
      stage = { state, first: point, points: [point] };
      this.#stage = stage;
    }
    const newest = stage.points.at(-1)!;
    if (point.ms - newest.ms >= pointMs) {
      stage.points.push(point);
      // One point before the window stays, so that the points span it.
      while (stage.points.length > 2 && point.ms - stage.points[1]!.ms >= windowMs) stage.points.shift();
    }
    return stage;
  }

  /**
   * Estimates the rest of the stage; undefined while that would be a guess. It is honest when a twentieth of the stage
   * and five seconds of it are over, the last seconds were as fast as the whole stage, and it does not contradict what
   * was shown before: then no estimate is better than one that jumps. Of the stage, not of the job: while maps run no
   * one knows how long the reduces will take.
   */
  #left(view: JobView, stage: Stage, nowMs: number): number | undefined {
    const estimate = view.state === "mapping" ? leftOfMap(view, stage, nowMs) : leftOfReduce(view, stage, nowMs);
    if (estimate === undefined) return undefined;
    if (this.#shown !== undefined) {
      const before = Math.max(0, this.#shown.leftMs - (nowMs - this.#shown.atMs));
      const jumps = estimate > before * jumpFactor || before > estimate * jumpFactor;
      if (jumps && Math.abs(estimate - before) > jumpMs) return undefined;
    }
    this.#shown = { atMs: nowMs, leftMs: estimate };
    return estimate;
  }

  #slow(running: readonly RunningAttempt[], nowMs: number): RunProgress["slow"] {
    const groups = new Map<string, { readonly records: number; readonly sinceMs: number }>();
    const slow = running.flatMap(({ attempt, records, idleMs, at, key }): RunProgress["slow"] => {
      const { phase, index } = attempt;
      if (idleMs >= slowCallMs) {
        const where = at === undefined ? {} : { at: { file: at.file, offset: at.offset } };
        return [{ phase, index, ms: idleMs, on: "call", ...where }];
      }
      // Before its first group a reduce fetches and merges.
      if (phase !== "reduce" || records === 0) return [];
      const id = `${index} ${attempt.epoch} ${attempt.attempt}`;
      const before = this.#groups.get(id);
      const now = before?.records === records ? before : { records, sinceMs: nowMs };
      groups.set(id, now);
      const ms = nowMs - now.sinceMs;
      if (ms < hotKeyMs || idleMs >= busyMs) return [];
      return [{ phase, index, ms, on: "key", ...(key !== undefined && { key }) }];
    });
    this.#groups = groups;
    return slow;
  }
}

/** The input that winners have read, and attempts that run now have read so far. */
function readSoFar({ stats: { map, inputBytes }, running }: JobView): { records: number; bytes: number } {
  /** By task: two attempts at one task read the same. */
  const furthest = new Map<number, RunningAttempt>();
  for (const attempt of running) {
    const { phase, index } = attempt.attempt;
    if (phase === "map" && attempt.bytes >= (furthest.get(index)?.bytes ?? 0)) furthest.set(index, attempt);
  }
  let { recordsIn: records, bytesIn: bytes } = map;
  for (const attempt of furthest.values()) {
    records += attempt.records;
    bytes += attempt.bytes;
  }
  return { records, bytes: Math.min(bytes, Math.max(inputBytes, map.bytesIn)) };
}

/** By millisecond; undefined where the points span too little time. */
function rateOver(points: readonly Point[]): number | undefined {
  const first = points[0]!;
  const last = points.at(-1)!;
  return last.ms - first.ms < rateMinMs ? undefined : (last.done - first.done) / (last.ms - first.ms);
}

function leftOfMap({ stats: { inputBytes } }: JobView, { first, points }: Stage, nowMs: number): number | undefined {
  const { done } = points.at(-1)!;
  const ms = nowMs - first.ms;
  const recent = rateOver(points);
  if (ms < estimateMinMs || recent === undefined || recent <= 0) return undefined;
  if (done - first.done < estimateFraction * (inputBytes - first.done)) return undefined;
  const overall = (done - first.done) / ms;
  if (recent > overall * steadyFactor || overall > recent * steadyFactor) return undefined;
  return (2 * (inputBytes - done)) / (recent + overall);
}

/** By tasks: two for each slot at least, so that their mean says something, and no task may take much longer. */
function leftOfReduce({ tasks, stats, running }: JobView, { first }: Stage, nowMs: number): number | undefined {
  const { done, total, running: parallel } = tasks.reduce;
  const since = done - first.done;
  const ms = nowMs - first.ms;
  if (ms < estimateMinMs || since < 2 * Math.max(1, parallel) || since < estimateFraction * total) return undefined;
  const meanMs = stats.reduce.wallMs / Math.max(1, done);
  if (running.some(({ attempt, runningMs }) => attempt.phase === "reduce" && runningMs > skewFactor * meanMs))
    return undefined;
  return ((total - done) * ms) / since;
}
