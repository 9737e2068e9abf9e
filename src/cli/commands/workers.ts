// `millrace workers`: lists the workers with their states. A busy worker works, a stuck one does not end what it was
// told to end, and a silent one is not heard.

import type { WorkerState, WorkerView } from "../../protocol/view.ts";
import { withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { tableLines } from "../screen/columns.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

/** Explains the states that may need someone's attention. */
const meanings: Partial<Readonly<Record<WorkerState, string>>> = {
  stuck: "heard, but an attempt that it was told to stop is still there",
  silent: "not heard for a lease: its attempts are given to others",
  draining: "finishes what it has, takes nothing new",
  excluded: "gets no attempts: too many failed there",
  quarantined: "gets no attempts for a while: it came and went too often",
};

export async function workersCommand(flags: MasterFlags): Promise<void> {
  const print = linePrinter();
  const { workers } = await withMaster(flags, (master) => master.view());
  if (flags.json) {
    for (const worker of workers) print(JSON.stringify(worker));
    return;
  }
  if (workers.length === 0) return print(noWorkers(flags.master));
  for (const line of workerLines(workers)) print(line);
}

export function noWorkers(master: string): string {
  return `no workers; start some:  millrace worker --master ${master} --work-dir DIR`;
}

export function workerLines(workers: readonly WorkerView[]): string[] {
  const lines = tableLines(
    ["WORKER", "STATE", "SLOTS", "FREE", "RUNS", "HEARD", "ADDRESS"],
    workers.map(({ id, state, slots, slotsFree, runs, heardMs, address }) => [
      printable(id),
      stateWord(state),
      String(slots),
      String(slotsFree),
      String(runs),
      `${Math.round(heardMs / 1000)} s ago`,
      printable(address),
    ]),
  );
  const shown = new Set(workers.map(({ state }) => state));
  for (const [state, meaning] of Object.entries(meanings))
    if (shown.has(state as WorkerState)) lines.push(pc.dim(`${state}: ${meaning}`));
  return lines;
}

function stateWord(state: WorkerState): string {
  if (state === "busy") return pc.green(state);
  if (state === "stuck" || state === "silent" || state === "excluded") return pc.red(state);
  return state === "idle" ? state : pc.yellow(state);
}
