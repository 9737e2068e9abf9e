// The child process of a slot (dist/slot.cjs): loads one job's code and runs its attempts, one at a time, on this
// thread. Messages come and go on descriptor 3. That pipe is not a channel of Node's, so it does not interfere with
// `process.send` and `process.on("message")` in user code, and Node does not pass it to children.
import { Socket } from "node:net";
import type { Host } from "../base/system/host.ts";
import { importBy } from "../job/load/import-module.ts";
import { FrameReader } from "./frames.ts";
import { decodeToSlot } from "./messages.ts";
import { type SlotConfig, SlotProgram } from "./program.ts";

export function main({ importModule, warmed }: Host): void {
  process.argv.length = 2; // the job's code has no arguments
  importBy(importModule);
  const pipe = new Socket({ fd: 3, readable: true, writable: true });
  let program: SlotProgram | undefined;
  const frames = new FrameReader((message) => {
    if (program === undefined) {
      const config = JSON.parse(Buffer.from(message).toString("utf8")) as SlotConfig;
      program = new SlotProgram(config, pipe, warmed);
    } else program.receive(decodeToSlot(message));
  });
  pipe.on("data", (chunk: Buffer) => frames.push(chunk));
  // The agent has died, or has let go of this slot.
  pipe.on("close", endGroup);
  pipe.on("error", () => {}); // followed by close
  // Done while nothing is asked of the slot: the loader of ES modules, which the first import starts, takes as long as
  // a small job's import.
  importModule("node:path").catch(() => {});
}

/**
 * Ends this process with everything that the job's code has started: no one else ends that once this process is gone.
 */
function endGroup(): void {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    process.kill(process.pid, "SIGKILL"); // started by hand: it leads no group
  }
}
