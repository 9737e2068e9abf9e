// Rebuilds one job from its records, which come in the order of their keys. The plan comes before the tasks in that
// order, so a million task records are read one after the other, and none is kept.

import { assert } from "../base/assert.ts";
import type { JobId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { RecordKey, TaskRecord } from "../protocol/records.ts";
import type { StringTable } from "../wire/protobuf/string-table.ts";
import { decodeDecision } from "../wire/stored/commit.ts";
import { decodePlan } from "../wire/stored/plans.ts";
import { endedRecord, failureRecord, jobRecord, planRecord } from "../wire/stored/records.ts";
import { decodeTaskRecord } from "../wire/stored/task-reader.ts";
import { isKept } from "./discard.ts";
import { newJob, setPlan, taskOf, update } from "./state/job.ts";
import type { Job, Task } from "./state/state.ts";

import type { SchedulerOptions } from "./step.ts";

export type JobKey = Extract<RecordKey, { readonly job: JobId }>;
type TaskKey = Extract<RecordKey, { readonly kind: "task" }>;

export class StoredJob {
  readonly id: JobId;
  readonly #order: SchedulerOptions["order"];
  readonly #names: StringTable;
  #spec: Uint8Array | undefined;
  #planValid: Uint8Array | undefined;
  #decision: Uint8Array | undefined;
  #ended: Uint8Array | undefined;
  readonly #plan = new Map<number, Uint8Array>();
  readonly #failures: Uint8Array[] = [];
  /**
   * Keys that can be deleted when the job is over (those of tasks are left out while it goes on), and `shownKeys`,
   * whose records stay then. The spec's key is in neither.
   */
  readonly keys: string[] = [];
  readonly shownKeys: string[] = [];
  #job: Job | undefined;
  #isBegun = false;

  /** `names` holds the strings that records repeat. */
  constructor(id: JobId, order: SchedulerOptions["order"], names: StringTable) {
    this.id = id;
    this.#order = order;
    this.#names = names;
  }

  /** Takes one record. `key` is the parsed `name`. */
  add(key: JobKey, name: string, value: Uint8Array): void {
    switch (key.kind) {
      case "task":
        this.#addTask(key, name, value);
        return;
      case "spec":
        this.#spec = value;
        return;
      case "ended":
        this.#ended = value;
        this.shownKeys.push(name);
        return;
      case "failure":
        this.#failures.push(value);
        this.shownKeys.push(name);
        return;
      case "plan":
        this.#plan.set(key.number, value);
        break;
      case "plan-valid":
        this.#planValid = value;
        break;
      case "decision":
        this.#decision = value;
        break;
    }
    this.keys.push(name);
  }

  /** The job, after all its records were added. Undefined: the records are left from a forgotten job. */
  finish(): Job | undefined {
    const job = this.#begun();
    if (job === undefined || isSettled(job)) return job;
    for (const task of job.maps) job.mapVersionMin = Math.max(job.mapVersionMin, task.digestVersion);
    for (const task of job.reduces) {
      const version = task.winner?.mapVersion;
      if (version !== undefined && version < job.mapVersionMin) update(task, () => (task.winner = undefined));
    }
    if (this.#decision !== undefined) job.decision = decodeDecision(this.#decision);
    job.sum = undefined;
    return job;
  }

  #addTask({ phase, index }: TaskKey, name: string, value: Uint8Array): void {
    const job = this.#begun();
    if (job === undefined || isSettled(job)) {
      this.keys.push(name);
      return;
    }
    const task = taskOf(job, phase, index);
    assert(task !== undefined, `a record of ${phase} ${index}, which no plan names`);
    readTask(task, decodeTaskRecord(value, this.#names));
  }

  #begun(): Job | undefined {
    if (this.#isBegun) return this.#job;
    this.#isBegun = true;
    if (this.#spec === undefined) return undefined;
    const job = newJob(this.id, jobRecord.decode(this.#spec), this.#order);
    // Including chunks that a commit left when it was cut off: they are deleted with the job (simulation, seed 121).
    job.planChunks = this.#plan.size;
    const failures = this.#failures.map(failureRecord.decode).sort((a, b) => a.number - b.number);
    job.failures.push(...failures.slice(-limits.failuresKept));
    job.failureNumber = (failures.at(-1)?.number ?? -1) + 1;
    if (this.#ended !== undefined) job.ended = endedRecord.decode(this.#ended);
    // Other records of a job that is over may be deleted in part.
    if (!isSettled(job) && this.#planValid !== undefined) this.#readPlan(job, this.#planValid);
    this.#job = job;
    return job;
  }

  #readPlan(job: Job, planValid: Uint8Array): void {
    const record = planRecord.decode(planValid);
    const parts: Uint8Array[] = [];
    for (let index = 0; index < record.chunks; index++) {
      const part = this.#plan.get(index);
      assert(part !== undefined, `part ${index} of a valid plan is missing`);
      parts.push(part);
    }
    setPlan(job, decodePlan(parts), record);
  }
}

/** Whether the job is over, and can't be resumed. */
function isSettled(job: Job): boolean {
  return job.ended !== undefined && !isKept(job);
}

function readTask(task: Task, record: TaskRecord): void {
  update(task, () => {
    task.winner = record.winner;
    task.placements = record.placements;
    task.digestVersion = record.digestVersion;
    task.digestRollbacks = record.digestRollbacks;
    task.failures = record.failures;
    task.infrastructureFailures = record.infrastructureFailures;
    task.careful = record.careful;
    task.skip = record.skip;
    task.diedAt = record.diedAt;
    task.userFailure = record.userFailure;
    task.counted = record.counted;
  });
}
