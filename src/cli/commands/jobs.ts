// `millrace jobs`: lists all jobs that the master knows, the oldest first.

import type { JobView, TaskCounts, WaitingFor } from "../../protocol/view.ts";
import { withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { tableLines } from "../screen/columns.ts";
import { printable } from "../screen/error-text.ts";
import { shortId } from "../screen/hints.ts";
import { roundedView } from "../screen/json-events.ts";
import { linePrinter } from "../screen/line-printer.ts";

export async function jobsCommand(flags: MasterFlags): Promise<void> {
  const print = linePrinter();
  const { jobs } = await withMaster(flags, (master) => master.view());
  if (flags.json) {
    for (const job of jobs) print(JSON.stringify(roundedView(job)));
    return;
  }
  if (jobs.length === 0) return print("no jobs");
  for (const line of jobLines(jobs)) print(line);
}

export function jobLines(jobs: readonly JobView[]): string[] {
  return tableLines(
    ["JOB", "NAME", "STATE", "MAP", "REDUCE", "RUNNING", "WAITS FOR", "OUTPUT"],
    jobs.map((view) => [
      shortId(view.job),
      printable(view.name),
      stateWord(view.state),
      share(view.tasks.map),
      share(view.tasks.reduce),
      String(view.tasks.plan.running + view.tasks.map.running + view.tasks.reduce.running),
      view.waiting === undefined ? "-" : pc.yellow(waitsFor[view.waiting]),
      printable(view.output),
    ]),
  );
}

const waitsFor: Readonly<Record<WaitingFor, string>> = {
  "no workers": "a worker",
  "workers draining": "a worker that does not drain",
  "workers quarantined": "the end of quarantine",
  "no free slots": "a free slot",
};

export function stateWord(state: JobView["state"]): string {
  if (state === "succeeded") return pc.green(state);
  if (state === "failed") return pc.red(state);
  return state === "cancelled" ? pc.yellow(state) : state;
}

/** "done/total" of a phase; empty for a phase that is not planned yet, or that the job does not have. */
function share({ done, total }: TaskCounts): string {
  return total === 0 ? "-" : `${done}/${total}`;
}
