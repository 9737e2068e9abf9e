// Starts a process that runs seeds (run-seeds.mjs).
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

export function forkSeeds(bundle) {
  return fork(fileURLToPath(new URL("run-seeds.mjs", import.meta.url)), [bundle], {
    // Worlds make much that is soon garbage: with room for more of it, it is collected less often.
    execArgv: ["--max-semi-space-size=32"],
  });
}
