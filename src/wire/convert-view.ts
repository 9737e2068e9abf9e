// Views of jobs and workers, to protobuf and back.
import {
  type ClusterView,
  type JobStats,
  type JobView,
  jobStates,
  type TaskCounts,
  type WorkerView,
  waitingFor,
  workerStates,
} from "../protocol/view.ts";
import { big, num, oneOf, optional, required } from "./codec.ts";
import {
  fromCounters,
  fromFailureText,
  fromLargestGroup,
  fromStats,
  toCounters,
  toFailureText,
  toLargestGroup,
  toStats,
} from "./convert-common.ts";
import { fromRunning, toRunning } from "./convert-worker.ts";
import type * as pb from "./gen/millrace/v1/view_pb.ts";

export function toClusterView(view: ClusterView) {
  return {
    epoch: big(view.epoch),
    jobs: view.jobs.map(toJobView),
    workers: view.workers.map(toWorkerView),
    ...(view.leader === undefined ? {} : { leader: view.leader }),
  };
}

export function fromClusterView(view: pb.ClusterView): ClusterView {
  return {
    epoch: num(view.epoch),
    jobs: view.jobs.map(fromJobView),
    workers: view.workers.map(fromWorkerView),
    ...(view.leader === undefined ? {} : { leader: { address: view.leader.address, since: view.leader.since } }),
  };
}

function toWorkerView({ heardMs, ...view }: WorkerView) {
  return { ...view, heardMs: big(Math.max(0, Math.round(heardMs))) };
}

function fromWorkerView(view: pb.WorkerView): WorkerView {
  const { id, address, slots, slotsFree, running, runs } = view;
  const state = oneOf(workerStates, view.state);
  return { id, state, address, slots, slotsFree, heardMs: num(view.heardMs), running, runs };
}

export function toJobView(view: JobView) {
  return {
    job: view.job,
    name: view.name,
    number: big(view.number),
    state: view.state,
    waiting: view.waiting ?? "",
    resumable: view.resumable,
    tasks: { plan: tally(view.tasks.plan), map: tally(view.tasks.map), reduce: tally(view.tasks.reduce) },
    counters: toCounters(view.counters),
    stats: toJobStats(view.stats),
    largestGroup: optional(view.largestGroup, toLargestGroup),
    deadLetters: big(view.deadLetters),
    running: view.running.map(toRunning),
    failures: view.failures.map(({ number, task, error }) => ({
      number: big(number),
      task,
      error: toFailureText(error),
    })),
    output: view.output,
    deadLettersIn: view.deadLettersIn,
    reason: optional(view.reason, toFailureText),
  };
}

export function fromJobView(view: pb.JobView): JobView {
  const tasks = required(view.tasks, "the counts of tasks");
  const reason = optional(view.reason, fromFailureText);
  return {
    job: view.job,
    name: view.name,
    number: num(view.number),
    state: oneOf(jobStates, view.state),
    ...(view.waiting === "" ? {} : { waiting: oneOf(waitingFor, view.waiting) }),
    resumable: view.resumable,
    tasks: { plan: counts(tasks.plan), map: counts(tasks.map), reduce: counts(tasks.reduce) },
    counters: fromCounters(view.counters),
    stats: fromJobStats(view.stats),
    ...(view.largestGroup !== undefined && { largestGroup: fromLargestGroup(view.largestGroup) }),
    deadLetters: num(view.deadLetters),
    running: view.running.map(fromRunning),
    failures: view.failures.map(({ number, task, error }) => ({
      number: num(number),
      task,
      error: fromFailureText(error),
    })),
    output: view.output,
    ...(view.deadLettersIn !== undefined && { deadLettersIn: view.deadLettersIn }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function tally({ done, running, total }: TaskCounts) {
  return { done, running, total };
}

function counts(message: pb.TaskTally | undefined): TaskCounts {
  const { done, running, total } = required(message, "the counts of a phase");
  return { done, running, total };
}

function toJobStats(stats: JobStats) {
  return { inputBytes: big(stats.inputBytes), map: toStats(stats.map), reduce: toStats(stats.reduce) };
}

function fromJobStats(message: pb.JobStats | undefined): JobStats {
  const stats = required(message, "a job's statistics");
  return { inputBytes: num(stats.inputBytes), map: fromStats(stats.map), reduce: fromStats(stats.reduce) };
}
