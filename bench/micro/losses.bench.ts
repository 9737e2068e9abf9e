// What the loss of workers costs a job, in the scheduler alone and in simulated time: the largest run of the paper
// (MapReduce, OSDI'04, sections 5.3 to 5.5: 1,746 workers, 15,000 maps, 4,000 reduces), of whose workers 200 are killed
// at half time.
//
//   node bench/micro/run.mjs losses
//   WORKERS=200 ROUNDS=1 node bench/micro/run.mjs losses
//
// Each task takes the time that it is dealt: the usual one times a ratio drawn from those of real tasks
// (losses/ratios.ts), on a machine that may be slow. Every time is a ratio to the same fleet undisturbed.
import { seededRandom } from "../../src/base/system/random.ts";
import { Fleet, type Machine, type Outcome, type Setting } from "./losses/fleet.ts";
import { ratios } from "./losses/ratios.ts";

const workers = Number(process.env["WORKERS"] ?? 1_746);
const rounds = Number(process.env["ROUNDS"] ?? 3);
/** A job that takes longer than this many times the usual time is given up. */
const timesMax = 5;
/** One machine in this many is slow, this many times. */
const slow = { oneIn: 200, times: 5 };

interface Case {
  readonly what: string;
  readonly disturb: (fleet: Fleet, usualMs: number) => void;
}

const share = 200 / 1_746;

const cases: readonly Case[] = [
  { what: "undisturbed", disturb: () => {} },
  { what: "11.5 % killed at half time, processes restarted", disturb: atHalf((machine) => machine.restart(3_000)) },
  { what: "11.5 % killed at half time, disks lost, replaced", disturb: atHalf((machine) => machine.vanish(30_000)) },
  { what: "each worker replaced every 5 min, no notice", disturb: replaced((machine) => machine.vanish(1_000)) },
  { what: "each worker replaced every 5 min, 100 s notice", disturb: replaced((machine) => machine.drain(100_000)) },
];

function atHalf(strike: (machine: Machine) => void): Case["disturb"] {
  return (fleet, usualMs) =>
    fleet.at(usualMs / 2, () => {
      const machines = [...fleet.machines];
      for (let left = Math.round(machines.length * share); left > 0; left--) {
        const [machine] = machines.splice(Math.floor(fleet.setting.random() * machines.length), 1);
        strike(machine!);
      }
    });
}

/** One after the other, so that each is replaced once in five minutes; those that come have five minutes as well. */
function replaced(strike: (machine: Machine) => void): Case["disturb"] {
  const everyMs = 300_000;
  return (fleet) => {
    const next = (index: number): void =>
      fleet.at((index + 1) * (everyMs / workers), () => {
        const machine = fleet.machine(`w${index}`);
        if (machine?.isUp === true) strike(machine);
        next(index + 1);
      });
    next(0);
  };
}

function setting(seed: number, checkpoints: Setting["checkpoints"], hasBackups: boolean): Setting {
  const random = seededRandom(seed, 1);
  const pick = seededRandom(seed, 2);
  const machine = seededRandom(seed, 3);
  const size = workers / 1_746;
  return {
    workers,
    slots: 2,
    maps: Math.round(15_000 * size),
    reduces: Math.round(4_000 * size),
    mapMs: 60_000,
    reduceMs: 240_000,
    fetchShare: 0.3,
    checkpoints,
    checkpointMs: 30_000,
    hasBackups,
    random,
    ratio: () => ratios[Math.floor(pick() * ratios.length)]!,
    slowness: () => (machine() * slow.oneIn < 1 ? slow.times : 1),
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

console.log(`${workers} workers x 2 slots, medians of ${rounds}: time / undisturbed time with backups, attempts, lost`);
for (const { what, disturb } of cases) {
  for (const hasBackups of [true, false]) {
    for (const checkpoints of ["none", "worker", "shared"] as const) {
      if (what === "undisturbed" && checkpoints !== "none") continue;
      const outcomes: (Outcome & { readonly ratio: number })[] = [];
      for (let seed = 1; seed <= rounds; seed++) {
        const usual = new Fleet(setting(seed, "none", true)).run(() => {});
        const outcome = new Fleet(setting(seed, checkpoints, hasBackups)).run(
          (fleet) => disturb(fleet, usual.ms),
          usual.ms * timesMax,
        );
        outcomes.push({ ...outcome, ratio: outcome.ms / usual.ms });
      }
      const failures = outcomes.filter(({ outcome }) => outcome !== "succeeded").length;
      const ratio = median(outcomes.map((one) => one.ratio));
      const attempts = median(outcomes.map((one) => one.attempts));
      const hours = median(outcomes.map(({ lostMs }) => lostMs)) / 3_600_000;
      console.log(
        `${what.padEnd(50)} backups ${hasBackups ? "on " : "off"} checkpoints ${checkpoints.padEnd(6)} ` +
          `${failures > 0 ? `FAILED ${failures}` : ratio.toFixed(3)}  ${String(attempts).padStart(6)} attempts  ${hours.toFixed(1).padStart(6)} slot hours lost  ` +
          `${(median(outcomes.map(({ ms }) => ms)) / 1000).toFixed(0)} s`,
      );
    }
  }
}
