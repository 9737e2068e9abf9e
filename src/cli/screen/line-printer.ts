// Lines on standard output, whose reader may leave before the last one.
import { systemCode } from "../../base/error.ts";
import { exitCodes } from "../../base/error-codes.ts";
import { colourFor } from "./colour.ts";

/**
 * Prints lines to standard output. When its reader has gone (`… | head`), it calls `closed` and prints nothing more.
 * Any other error of writing makes the command fail.
 */
export function linePrinter(closed: () => void = () => {}): (line: string) => void {
  colourFor(process.stdout);
  let isOpen = true;
  process.stdout.on("error", (error) => {
    if (!isOpen) return;
    isOpen = false;
    closed();
    if (isEnd(error)) return;
    process.stderr.write(`can't write to standard output: ${error.message}\n`);
    process.exitCode = exitCodes.machine;
  });
  return (line) => {
    if (isOpen) process.stdout.write(`${line}\n`);
  };
}

/** A reader that has gone is no failure. */
export function isEnd(error: unknown): boolean {
  return systemCode(error) === "EPIPE" || systemCode(error) === "ERR_STREAM_DESTROYED";
}
