// The child process of a slot (dist/slot.js): loads one job's code and runs its attempts, one at a time, on this thread.
import { type SlotConfig, SlotProgram } from "./slot-program.ts";

const config = JSON.parse(process.argv[2]!) as SlotConfig;
process.argv.length = 2; // the job's code has no arguments
new SlotProgram(config).start();
