// Tells the user that a job's module takes long to load.
import pc from "picocolors";
import { printable } from "./screen/error-text.ts";

export function stillLoading(job: string): string {
  return `still loading ${job}: its module is not through with what it does at its top level; Ctrl-C ends it`;
}

/** Prints a sentence, or an event with `--json`: for commands without a screen. */
export function tell(message: string, isJson: boolean): void {
  const line = isJson ? JSON.stringify({ event: "warning", message }) : pc.yellow(`warning ${printable(message)}`);
  process.stderr.write(`${line}\n`);
}
