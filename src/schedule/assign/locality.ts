// Finds map tasks whose files lie on a worker's own machine. This is a preference, for which nothing ever waits. No
// storage names hosts today (`FileInfo.hosts`), so none of this happens until one does; `test/scenarios/locality.txt`
// shows what it does then.
import { Heap } from "../state/heap.ts";
import type { Job, Task, Worker } from "../state/state.ts";
import { isWaiting } from "../state/task.ts";

/** The host of an address: "node-7" for "http://node-7:4000" and "node-7:4000", "::1" for "[::1]:4000". */
export function hostOf(address: string): string {
  const authority = address.replace(/^[a-z]+:\/\//, "").replace(/\/.*$/, "");
  return authority
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();
}

/** The hosts with most of the task's bytes; empty where the storage does not tell. */
export function hostsOf({ job, phase, index }: Task): readonly string[] {
  if (phase !== "map" || job.plan === undefined) return [];
  let most = -1;
  let hosts: readonly string[] = [];
  for (const { file, start, end } of job.plan.splits[index]!) {
    if (end - start <= most) continue;
    most = end - start;
    hosts = job.plan.files[file]!.hosts;
  }
  return hosts;
}

/**
 * Adds a waiting task to the queues of its hosts, beside the queue of all: a task that is taken from one is skipped in
 * the other.
 */
export function queueByHost(job: Job, task: Task, isLess: (a: Task, b: Task) => boolean): void {
  if (!job.hasHosts) return;
  for (const name of hostsOf(task)) {
    const host = name.toLowerCase();
    let queue = job.near.get(host);
    if (queue === undefined) job.near.set(host, (queue = new Heap(isLess)));
    queue.push(task);
  }
}

/** Takes the next waiting map task whose file lies on the worker's machine. */
export function takeNear(job: Job, worker: Worker): Task | undefined {
  const queue = job.near.get(worker.host);
  if (queue === undefined) return undefined;
  for (let task = queue.pop(); task !== undefined; task = queue.pop()) {
    if (isWaiting(task) && task.avoid?.worker !== worker) return task;
  }
  job.near.delete(worker.host);
  return undefined;
}
