// A job as the scheduler sees it (state.ts): what its stage and its counts say, and how they follow from its tasks.
import { deadLettersOutput, type JobId, type Phase } from "../../base/ids.ts";
import type { Plan } from "../../input/plan.ts";
import type { JobRecord, PlanRecord } from "../../protocol/records.ts";
import type { StagedFile } from "../../storage/storage.ts";
import type { SchedulerOptions, StagedFolder } from "../step.ts";
import { Heap } from "./heap.ts";
import type { Job, Task } from "./state.ts";
import { deadLetterLinesOf, deadLettersOf, hasLostFiles, isDone, newTask } from "./task.ts";
import { type Totals, TotalsSum } from "./totals.ts";

export function newJob(id: JobId, record: JobRecord, order: SchedulerOptions["order"]): Job {
  const byIndex = (a: Task, b: Task) => (order === "reverse" ? a.index > b.index : a.index < b.index);
  const job: Omit<Job, "planTask"> & { planTask: Task | undefined } = {
    id,
    spec: record.spec,
    number: record.number,
    stage: "planning",
    plan: undefined,
    plannedBy: undefined,
    planChunks: 0,
    inputBytes: 0,
    planTask: undefined,
    maps: [],
    reduces: [],
    near: new Map(),
    hasHosts: false,
    isBefore: byIndex,
    queues: { plan: new Heap(byIndex), map: new Heap(byIndex), reduce: new Heap(byIndex) },
    mapsWon: 0,
    mapsLive: 0,
    mapsWithoutFiles: 0,
    reducesWon: 0,
    mapVersion: 1,
    mapVersionMin: 1,
    digestRollbacks: 0,
    deadLetters: 0,
    deadLetterLines: 0,
    failures: [],
    failureNumber: 0,
    decision: undefined,
    lateWinners: new Map(),
    ended: undefined,
    keptUntil: 0,
    attempts: new Set(),
    running: { plan: 0, map: 0, reduce: 0 },
    stopping: 0,
    underway: 0,
    workers: new Set(),
    ran: new Map(),
    answered: new Map(),
    closing: undefined,
    sum: new TotalsSum(),
    holders: undefined,
    rates: { map: [], reduce: [] },
    lastMs: { map: undefined, reduce: undefined },
    view: undefined,
  };
  job.planTask = newTask(job as Job, "plan", 0);
  return job as Job;
}

/** The plan is valid: its tasks exist from here on. */
export function setPlan(job: Job, plan: Plan, plannedBy: PlanRecord): void {
  job.plan = plan;
  job.plannedBy = plannedBy;
  job.planChunks = Math.max(job.planChunks, plannedBy.chunks);
  job.hasHosts = plan.files.some(({ hosts }) => hosts.length > 0);
  job.inputBytes = plan.files.reduce((sum, file) => sum + file.bytes, 0);
  job.maps = plan.splits.map((_, index) => newTask(job, "map", index));
  job.reduces = Array.from({ length: plan.partitions }, (_, index) => newTask(job, "reduce", index));
  job.stage = "working";
  job.view = undefined;
}

export function taskOf(job: Job, phase: Phase, index: number): Task | undefined {
  switch (phase) {
    case "plan":
      return index === 0 ? job.planTask : undefined;
    case "map":
      return job.maps[index];
    case "reduce":
      return job.reduces[index];
  }
}

/** Whether attempts of the job may be started and may win. */
export function isActive(job: Job): boolean {
  return job.stage === "planning" || job.stage === "working";
}

/** Whether the job is not decided, so that it may still fail or be cancelled. */
export function isOpen(job: Job): boolean {
  return isActive(job) || job.stage === "closing";
}

/** Whether the job may use one more slot (`maxSlots`). */
export function hasRoom({ spec, attempts, stopping }: Job): boolean {
  return spec.maxSlots === undefined || attempts.size + stopping < spec.maxSlots;
}

/** Whether every map output has a live place, so that reduces may start. */
export function isBarrierOpen(job: Job): boolean {
  return job.stage === "working" && job.mapsLive === job.maps.length;
}

/**
 * Every task has a winner. A map run that was lost after all reduces had read it is not missed: what they read is what
 * its winner emitted.
 */
export function isComplete(job: Job): boolean {
  const { stage, mapsWon, mapsWithoutFiles, reducesWon, maps, reduces } = job;
  return stage === "working" && mapsWon === maps.length && mapsWithoutFiles === 0 && reducesWon === reduces.length;
}

/** Files of the winners, by name (plain ASCII): the output, then dead letters with a folder of their own. */
export function stagedFolders({ spec, maps, reduces }: Job): StagedFolder[] {
  const all: StagedFile[] = [];
  for (const tasks of [maps, reduces])
    for (const { winner } of tasks) if (winner !== undefined) all.push(...winner.staged);
  all.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const { output, deadLetters } = spec;
  if (deadLetters === undefined) return [{ destination: output, files: all }];
  return [
    { destination: output, files: all.filter((file) => file.output !== deadLettersOutput) },
    { destination: deadLetters.path, files: all.filter((file) => file.output === deadLettersOutput) },
  ];
}

export function phaseTasksDone(job: Job, phase: Phase): { done: number; total: number } {
  switch (phase) {
    case "plan":
      return { done: job.plan === undefined ? 0 : 1, total: 1 };
    case "map":
      // From the last winner on, no one needs a lost run.
      return { done: isActive(job) ? job.mapsLive : job.mapsWon, total: job.maps.length };
    case "reduce":
      return { done: job.reducesWon, total: job.reduces.length };
  }
}

export function totalsSumOf(job: Job): TotalsSum {
  job.sum ??= sumOf(job);
  return job.sum;
}

export function totalsOf(job: Job): Totals {
  return totalsSumOf(job).result();
}

/** Sums all winners: after one of them was replaced, and at recovery. */
function sumOf(job: Job): TotalsSum {
  const sum = new TotalsSum();
  for (const task of job.maps) if (task.winner !== undefined) sum.add("map", task.winner);
  for (const task of job.reduces) if (task.winner !== undefined) sum.add("reduce", task.winner);
  return sum;
}

/** Changes a task's winner, and the job's counts with it. */
export function update(task: Task, change: () => void): void {
  const { job } = task;
  count(task, -1);
  change();
  count(task, 1);
  job.view = undefined;
}

function count(task: Task, sign: 1 | -1): void {
  const { job } = task;
  job.deadLetters += sign * deadLettersOf(task);
  job.deadLetterLines += sign * deadLetterLinesOf(task);
  if (task.phase === "map") {
    if (task.winner !== undefined) job.mapsWon += sign;
    if (task.winner !== undefined && hasLostFiles(task.winner)) job.mapsWithoutFiles += sign;
    if (isDone(task)) job.mapsLive += sign;
    job.mapVersion += sign * Math.max(0, task.placements - 1);
    job.digestRollbacks += sign * task.digestRollbacks;
  } else if (task.phase === "reduce" && task.winner !== undefined) {
    job.reducesWon += sign;
  }
}
