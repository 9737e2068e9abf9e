// Which map tasks read files that lie on a worker's own machine: a preference, for which nothing ever waits. No storage of today names
// hosts (`FileInfo.hosts`), so all of this is idle until one does; `test/scenarios/locality.txt` shows what it does then.
import { Heap } from "../state/heap.ts";
import type { Job, Task, Worker } from "../state/state.ts";
import { isWaiting } from "../state/task.ts";

/** "http://node-7:4000", "node-7:4000" and "[::1]:4000" as "node-7" and "::1". */
export function hostOf(address: string): string {
  const authority = address.replace(/^[a-z]+:\/\//, "").replace(/\/.*$/, "");
  return authority
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();
}

/** Where most of the task's bytes lie; empty where the storage does not say. */
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

/** Waiting tasks by host, beside the queue of all: a task that is taken from one is passed over in the other. */
export function queueByHost(job: Job, task: Task, isLess: (a: Task, b: Task) => boolean): void {
  if (!job.hasHosts) return;
  for (const name of hostsOf(task)) {
    const host = name.toLowerCase();
    let queue = job.near.get(host);
    if (queue === undefined) job.near.set(host, (queue = new Heap(isLess)));
    queue.push(task);
  }
}

/** The next map task that waits and whose file lies on the worker's machine. */
export function takeNear(job: Job, worker: Worker): Task | undefined {
  const queue = job.near.get(worker.host);
  if (queue === undefined) return undefined;
  for (let task = queue.pop(); task !== undefined; task = queue.pop()) {
    if (isWaiting(task) && task.avoid?.worker !== worker) return task;
  }
  job.near.delete(worker.host);
  return undefined;
}
