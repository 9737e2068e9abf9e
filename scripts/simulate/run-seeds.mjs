// One process of `simulate.mjs`: runs the seeds that it is given, and says what came of each.
import { setMaxListeners } from "node:events";
import { pathToFileURL } from "node:url";
import { installSignals } from "./signals.mjs";

// What a world must not depend on fails here.
const forbid = (name) => () => {
  throw new Error(`a simulated world called ${name}`);
};
Date.now = forbid("Date.now");
Math.random = forbid("Math.random");
globalThis.setTimeout = forbid("setTimeout");
globalThis.setInterval = forbid("setInterval");
setMaxListeners(0);
installSignals();
// Errors are part of the work here, and their stacks cost more than all else about them.
Error.stackTraceLimit = 0;

const { runSeed } = await import(pathToFileURL(process.argv[2]).href);
process.on("message", async ({ from, count, repeatedEvery, profile }) => {
  for (let seed = from; seed < from + count; seed++) {
    const result = await runSeed(seed, profile);
    const again = seed % repeatedEvery === 0 ? (await runSeed(seed, profile)).hash : undefined;
    process.send({ ...result, again });
  }
  process.send("more");
});
process.send("more");
