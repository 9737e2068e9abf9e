import { formatDuration } from "../../base/units.ts";
import { findWorker, withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

/**
 * `millrace drain`. It returns immediately; the worker's process ends when others hold what is needed of it, or when
 * its time is over.
 */
export async function drainCommand(id: string, flags: MasterFlags & { readonly within?: number }): Promise<void> {
  const print = linePrinter();
  await withMaster(flags, async (master) => {
    const worker = await findWorker(master, id);
    const { within } = flags;
    await master.drain(worker, within);
    if (flags.json) return print(JSON.stringify({ worker, draining: true, withinMs: within }));
    const time = within === undefined ? "" : `, in ${formatDuration(within)} at the latest`;
    print(
      `${printable(worker)} finishes what it runs, takes nothing new, and ends when others hold what is needed of it${time}`,
    );
  });
}
