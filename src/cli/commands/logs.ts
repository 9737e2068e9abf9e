// `millrace logs`: prints the logs of attempts, fetched from the workers that ran them.
import { StringDecoder } from "node:string_decoder";
import type { LogChunk } from "../../protocol/services.ts";
import { findJob, withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

export async function logsCommand(id: string, attempt: string | undefined, flags: MasterFlags): Promise<void> {
  const enough = new AbortController();
  const print = linePrinter(() => enough.abort());
  await withMaster(flags, async (master) => {
    const { job } = await findJob(master, id);
    const lines = flags.json ? jsonLines : textLines;
    let isEmpty = true;
    for await (const line of lines(master.logs(job, attempt, enough.signal))) {
      isEmpty = false;
      print(line);
    }
    if (isEmpty && !flags.json) {
      const what = attempt === undefined ? "no attempt that failed or runs has" : `${attempt} has not`;
      process.stderr.write(
        `${what} printed anything${attempt === undefined ? "; millrace history shows all attempts" : ""}\n`,
      );
    }
  });
}

/**
 * Lines of logs, each below the attempt and worker that it is from. Control characters are escaped: what a job prints
 * is data, and must not control the terminal.
 */
export async function* textLines(chunks: AsyncIterable<LogChunk>): AsyncIterable<string> {
  let from = "";
  let decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const { attempt, worker, bytes } of chunks) {
    const next = `${attempt} on ${worker}`;
    if (next !== from) {
      rest += decoder.end();
      if (rest !== "") yield printable(rest);
      if (from !== "") yield "";
      yield pc.bold(printable(next));
      from = next;
      rest = "";
      decoder = new StringDecoder("utf8");
    }
    const lines = (rest + decoder.write(Buffer.from(bytes))).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield printable(line);
  }
  rest += decoder.end();
  if (rest !== "") yield printable(rest);
}

async function* jsonLines(chunks: AsyncIterable<LogChunk>): AsyncIterable<string> {
  for await (const { attempt, worker, bytes } of chunks)
    yield JSON.stringify({ attempt, worker, text: Buffer.from(bytes).toString("utf8") });
}
