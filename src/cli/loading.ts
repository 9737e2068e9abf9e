// Tells the user that a job's module takes long to load.
import { onStderr, pc } from "./screen/colour.ts";
import { printable } from "./screen/error-text.ts";
import { eventLine, eventSink } from "./screen/event-stream.ts";

export function stillLoading(job: string): string {
  return `still loading ${job}: its module has not finished its top-level code; Ctrl-C ends it`;
}

/** Prints a sentence, or an event with `--json`: for commands without a screen. */
export function tell(message: string, isJson: boolean): void {
  if (isJson) eventSink.write(eventLine({ event: "warning", message }));
  else process.stderr.write(`${onStderr(() => pc.yellow(`warning: ${printable(message)}`))}\n`);
}
