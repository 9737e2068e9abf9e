import { MillraceError } from "../../base/error.ts";
import { findJob, withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { printable } from "../screen/error-text.ts";
import { masterWords, shortId } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";

/** `millrace retry`: lets a failed job go on with everything that it had done. */
export async function retryCommand(id: string, flags: MasterFlags): Promise<void> {
  const print = linePrinter();
  await withMaster(flags, async (master) => {
    const { job, name, state } = await findJob(master, id);
    if (state !== "failed") {
      throw new MillraceError(
        "wrong-usage",
        `the job ${shortId(job)} (${name}) is ${state}: only a failed job can be started again`,
      );
    }
    await master.retry(job);
    if (flags.json) return print(JSON.stringify({ job, retried: true }));
    print(
      `${shortId(job)} (${printable(name)}) goes on with what it had done; look at it with  millrace status ${shortId(job)} --watch${masterWords(flags)}`,
    );
  });
}
