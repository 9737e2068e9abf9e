// Where the events of `--json` go. A script reads standard output, so they go there, unless the result does: then
// events between its lines would spoil it, and they go to standard error.
import { unprintable } from "../../base/printable.ts";

let stream: "stdout" | "stderr" = "stderr";

/** Called before the first event. */
export function eventsTo(chosen: "stdout" | "stderr"): void {
  // The reader of events may leave (`| head`), and the run goes on.
  if (chosen === "stdout" && stream !== "stdout") process.stdout.on("error", () => {});
  stream = chosen;
}

export const eventSink = {
  write: (text: string): void => void process[stream].write(text),
} as const;

/**
 * An event as a line of JSON. JSON lets characters through that control a terminal, and data must not do that where
 * events are looked at on one.
 */
export function eventLine(event: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(event);
  return `${json.replace(unprintable, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`;
}
