// The output of `millrace test`: one line per check as it ends, with details below.

import { MillraceError } from "../../base/error.ts";
import type { FailureText } from "../../protocol/messages.ts";
import { pc } from "../screen/colour.ts";
import { fromHere, printable } from "../screen/error-text.ts";

export interface Check {
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
  /** Shown on the same line: how much was checked, why it was skipped, or what is wrong. */
  readonly note: string;
  /** Lines shown below it. */
  readonly details?: readonly string[];
}

export const ok = (name: string, note = ""): Check => ({ name, outcome: "ok", note });
export const skipped = (name: string, note: string): Check => ({ name, outcome: "skipped", note });
export const failed = (name: string, note: string, details: readonly string[] = []): Check => ({
  name,
  outcome: "failed",
  note,
  details,
});

/** A check that ended with an error: its message, its place, and the job's own lines. */
export function broken(name: string, { message, where, excerpt, stack }: FailureText, lead = ""): Check {
  return failed(name, lead + fromHere(message), [
    ...(where === undefined ? [] : [`at ${where}`]),
    ...(excerpt === undefined || excerpt === "" ? [] : [`| ${excerpt}`]),
    ...(stack === undefined ? [] : fromHere(stack).split("\n")),
  ]);
}

export class Checks {
  readonly #json: boolean;
  readonly #print: (line: string) => void;
  readonly #counts = { ok: 0, failed: 0, skipped: 0 };

  constructor(print: (line: string) => void, json: boolean) {
    this.#print = print;
    this.#json = json;
  }

  get failed(): number {
    return this.#counts.failed;
  }

  add(check: Check): void {
    const { name, outcome, note, details = [] } = check;
    this.#counts[outcome]++;
    if (this.#json) {
      this.#print(JSON.stringify({ check: name, outcome, note, details }));
      return;
    }
    for (const line of checkLines(check)) this.#print(line);
  }

  /** Prints the last line. Throws `cancelled` for an interrupted test, which has neither passed nor failed. */
  finish(signal: AbortSignal): void {
    if (signal.aborted) throw new MillraceError("cancelled", "cancelled: the test is not complete");
    const { ok: good, failed: bad, skipped: left } = this.#counts;
    if (this.#json) {
      this.#print(JSON.stringify({ ok: good, failed: bad, skipped: left }));
      return;
    }
    const rest = left === 0 ? "" : `, ${left} skipped`;
    this.#print("");
    this.#print(
      bad === 0
        ? `${pc.green("passed")} all ${good} checks${rest}`
        : `${pc.red("failed")} ${bad} of ${good + bad} checks${rest}`,
    );
  }
}

/** A check as people read it. */
export function checkLines({ name, outcome, note, details = [] }: Check): string[] {
  const word = { ok: pc.green("ok     "), failed: pc.red("FAIL   "), skipped: pc.dim("skipped") }[outcome];
  return [
    `${word}  ${name}${note === "" ? "" : `${outcome === "ok" ? "  " : ": "}${noted(outcome, printable(note))}`}`,
    ...details.map((line) => `           ${printable(line)}`),
  ];
}

function noted(outcome: Check["outcome"], note: string): string {
  return outcome === "failed" ? note : pc.dim(note);
}
