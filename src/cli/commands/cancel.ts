import { findJob, withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { printable } from "../screen/error-text.ts";
import { shortId } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";

/** `millrace cancel`. It fails when it is too late, because the job is then not cancelled. */
export async function cancelCommand(id: string, flags: MasterFlags): Promise<void> {
  const print = linePrinter();
  await withMaster(flags, async (master) => {
    const { job, name } = await findJob(master, id);
    const outcome = await master.cancel(job);
    if (outcome === "too-late") process.exitCode = 1;
    if (flags.json) return print(JSON.stringify({ job, outcome }));
    print(
      outcome === "cancelled"
        ? `cancelled ${shortId(job)} (${printable(name)}): nothing is published`
        : `too late: ${shortId(job)} (${printable(name)}) had ended, or its output was being published`,
    );
  });
}
