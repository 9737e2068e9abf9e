// Prints what the job's own code prints, as it comes: lines with the task in front, on standard error. A flood is cut
// here; the attempt's log has more of it.

import { type AttemptId, taskName } from "../../base/ids.ts";
import { pc } from "./colour.ts";
import { printable } from "./error-text.ts";
import type { Screen } from "./screen.ts";

/**
 * Lines printed in all: enough to debug with, and few enough that a job that prints per record does not slow down its
 * run.
 */
const linesMax = 200;
const lineLengthMax = 2_000;

/** Matches what V8 prints when its heap is full, addresses of its own code. The failure says the same in words. */
const lastWords =
  /^(<--- .* --->|\[\d+:0x[0-9a-f]+\] .*|FATAL ERROR: .* - JavaScript heap out of memory| *\d+: 0x[0-9a-f]+ .*)$/;
const traceBegins = /^-{5} (?:Native|JavaScript) stack trace -{5}$/;
/** Matches the lines of the trace that V8 prints after it. */
const traceLine = /^ *\d+: /;

export function outputPrinter(screen: Screen): (attempt: AttemptId | undefined, bytes: Buffer) => void {
  let printed = 0;
  let isInTrace = false;
  return (attempt, bytes) => {
    if (printed > linesMax) return;
    for (const line of bytes.toString("utf8").split("\n")) {
      isInTrace = traceBegins.test(line) || (isInTrace && (line === "" || traceLine.test(line)));
      if (line === "" || isInTrace || lastWords.test(line)) continue;
      if (++printed > linesMax) return screen.print(pc.dim("the job prints more than is shown here"));
      const prefix = attempt === undefined ? "job" : taskName(attempt);
      screen.print(`${pc.dim(`${prefix} |`)} ${printable(line.slice(0, lineLengthMax))}`);
    }
  };
}
