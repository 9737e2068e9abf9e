// `millrace workers`: who works, and what state each is in. Busy, stuck and silent are three things: one works, one does not
// end what it was told to end, one is not heard.
import pc from "picocolors";
import type { ClusterView } from "../schedule/step.ts";
import { withMaster } from "./cluster.ts";
import { printable } from "./error-text.ts";
import type { MasterFlags } from "./options.ts";
import { linePrinter } from "./stdout.ts";
import { tableLines } from "./table.ts";

type WorkerView = ClusterView["workers"][number];

/** What each state means; a state that this version does not know is shown without. */
const meanings: Readonly<Record<string, string>> = {
  busy: "runs tasks",
  idle: "waits for tasks",
  stuck: "heard, but a task that it was told to stop is still there",
  silent: "not heard for a lease: its tasks are given to others",
  draining: "finishes what it runs, takes nothing new",
  excluded: "gets no tasks: too many failed there in a row",
  quarantined: "gets no tasks for a while: it came and went too often",
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
  return tableLines(
    ["WORKER", "STATE", "SLOTS", "FREE", ""],
    workers.map(({ id, state, slots, slotsFree }) => [
      printable(id),
      workerStateWord(state),
      String(slots),
      String(slotsFree),
      pc.dim(meanings[state] ?? ""),
    ]),
  );
}

function workerStateWord(state: WorkerView["state"]): string {
  if (state === "busy") return pc.green(state);
  if (state === "stuck" || state === "silent" || state === "excluded") return pc.red(state);
  return state === "idle" ? state : pc.yellow(state);
}
