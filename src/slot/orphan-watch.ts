// Ends a slot whose agent has died, also while user code keeps its main thread busy: no one else would, and an endless
// loop would go on for ever.
//
// A thread asks twice a second who the parent is; the system gives an orphan another one. (Blocking on a pipe from the
// agent would be simpler and quicker, but process.exit waits for its threads, and one that is blocked in a read never
// ends.)
import { Worker } from "node:worker_threads";

const program = `
const { workerData } = require("node:worker_threads");
const never = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  if (process.ppid !== workerData) try { process.kill(-process.pid, "SIGKILL"); } catch {}
  Atomics.wait(never, 0, 0, 500);
}
`;

/** How many threads are started one after the other: one that can't live is not tried for ever. */
const threadsMax = 3;

/**
 * Kills this process group once the process `agent` is no longer its parent. Costs a thread, 4 MB and 2 ms of this
 * thread.
 */
export function watchForOrphan(agent: number): void {
  startThread(agent, threadsMax);
}

/** Where one ends (it ran out of the memory that it may have), another takes its place as soon as this thread can. */
function startThread(agent: number, left: number): void {
  const thread = new Worker(program, {
    eval: true,
    execArgv: [],
    env: {},
    workerData: agent,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
  });
  thread.on("error", () => {}); // without threads left, the end of the pipe still ends an idle slot
  thread.on("exit", () => {
    if (left > 1) startThread(agent, left - 1);
  });
  thread.unref();
}
