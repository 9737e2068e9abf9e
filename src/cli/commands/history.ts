// `millrace history`: prints what happened to a job, when and where, from the master's event log.

import { formatDuration } from "../../base/units.ts";
import type { HistoryEvent } from "../../protocol/services.ts";
import { findJob, withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

export async function historyCommand(id: string, flags: MasterFlags): Promise<void> {
  const enough = new AbortController();
  const print = linePrinter(() => enough.abort());
  await withMaster(flags, async (master) => {
    const { job } = await findJob(master, id);
    let first: number | undefined;
    for await (const event of master.history(job, enough.signal)) {
      if (flags.json) {
        print(JSON.stringify(event));
        continue;
      }
      const at = Date.parse(event.time);
      if (first === undefined) {
        first = at;
        print(pc.dim(`job ${event.job}, submitted ${printable(event.time)}`));
      }
      print(historyLine(event, at - first));
    }
  });
}

/** "+1.52 s    attempt-won     map-00012.1.7 on w1: …" */
export function historyLine(event: HistoryEvent, sinceMs: number): string {
  const { kind, task, attempt, worker, message } = event;
  const what = attempt ?? task;
  const subject = [what, worker === undefined ? undefined : `${what === undefined ? "" : "on "}${worker}`]
    .filter((part) => part !== undefined)
    .join(" ");
  const time = `+${formatDuration(Math.max(0, sinceMs))}`;
  const words = [subject, message].filter((part) => part !== undefined && part !== "").join(": ");
  return `${pc.dim(time.padEnd(10))} ${coloured(kind, printable(kind).padEnd(18))} ${printable(words)}`.trimEnd();
}

function coloured(kind: string, text: string): string {
  if (/failed|lost|silent|excluded|quarantined/.test(kind)) return pc.red(text);
  return /won|published|succeeded/.test(kind) ? pc.green(text) : text;
}
