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
while (process.ppid === workerData) Atomics.wait(never, 0, 0, 500);
process.kill(-process.pid, "SIGKILL");
`;

/**
 * Kills this process group once the process `agent` is no longer its parent. Costs a thread, 4 MB and 2 ms of this
 * thread.
 */
export function watchForOrphan(agent: number): void {
  const thread = new Worker(program, {
    eval: true,
    execArgv: [],
    env: {},
    workerData: agent,
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  });
  thread.on("error", () => {}); // without threads left, the end of the pipe still ends an idle slot
  thread.unref();
}
