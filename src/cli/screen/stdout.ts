// Writes the result to standard output when there is no -o: the parts in partition order, and nothing else.
import { once } from "node:events";
import { MillraceError } from "../../base/error.ts";
import type { JobEngine } from "../../engine/engine.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { publishedFiles } from "../../output/published.ts";
import { isEnd } from "./line-printer.ts";

/** Formats whose records are bytes that a terminal can't show. */
const binaryExtensions = new Set(["bin"]);

/** Throws `wrong-usage` for a job whose output standard output can't take. Called before any work is done. */
export function refuseStdout(description: JobDescription, isTerminal: boolean): void {
  const [main, ...others] = description.outputs;
  if (others.length > 0) {
    throw new MillraceError(
      "wrong-usage",
      `the job ${description.name} has the outputs ${description.outputs.map(({ name }) => name).join(", ")}: give a folder for them, -o DIR`,
    );
  }
  if (description.compress !== undefined && (main?.headerBytes ?? 0) > 0) {
    throw new MillraceError(
      "wrong-usage",
      "compressed parts with a header each can't be joined on standard output: give -o DIR",
    );
  }
  if (isTerminal && (description.compress !== undefined || binaryExtensions.has(main?.extension ?? ""))) {
    throw new MillraceError(
      "wrong-usage",
      "the result is binary and would garble the terminal: give -o DIR, or pipe it somewhere",
    );
  }
}

export async function copyToStdout(engine: JobEngine): Promise<void> {
  const headerBytes = engine.description.outputs[0]?.headerBytes ?? 0;
  const output = process.stdout;
  let closed: unknown;
  const onError = (error: unknown) => {
    closed = error;
  };
  output.on("error", onError);
  try {
    let isFirst = true;
    for (const { path } of await publishedFiles(engine.storage, engine.destination)) {
      const file = await engine.storage.stat(path);
      if (file === undefined) continue;
      for await (const chunk of engine.storage.read(
        file,
        isFirst ? 0 : Math.min(headerBytes, file.bytes),
        file.bytes,
      )) {
        if (closed !== undefined) return endOf(closed);
        // Copied, because the chunk's memory is reused while the pipe may still hold it.
        if (!output.write(Uint8Array.prototype.slice.call(chunk)))
          await Promise.race([once(output, "drain"), once(output, "close")]).catch(onError);
      }
      isFirst = false;
    }
    await new Promise<void>((resolve) => output.write("", () => resolve()));
    if (closed !== undefined) endOf(closed);
  } finally {
    output.off("error", onError);
  }
}

/** Called for errors of writing. A reader that has gone is no failure. */
function endOf(error: unknown): void {
  if (isEnd(error)) return;
  throw new MillraceError(
    "io-error",
    `the result can't be written to standard output: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}
