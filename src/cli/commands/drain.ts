import { findWorker, withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

/** `millrace drain`. It returns immediately; the worker's process ends when its map outputs are no longer needed. */
export async function drainCommand(id: string, flags: MasterFlags): Promise<void> {
  const print = linePrinter();
  await withMaster(flags, async (master) => {
    const worker = await findWorker(master, id);
    await master.drain(worker);
    if (flags.json) return print(JSON.stringify({ worker, draining: true }));
    print(
      `${printable(worker)} finishes what it runs, takes nothing new, and ends when its map outputs are no longer needed`,
    );
  });
}
