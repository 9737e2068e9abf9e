// What victims say to whoever kills them: each line is out before the next step begins.
import { writeSync } from "node:fs";
import { MillraceError } from "../../../src/base/error.ts";

export function acknowledge(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Runs a victim; an expected failure is told by its code and ends it with 1. */
export async function victim(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    acknowledge(`error ${error.code} ${error.message.replaceAll("\n", " ")}`);
    process.exitCode = 1;
  }
}
