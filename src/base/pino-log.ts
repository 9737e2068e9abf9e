// The log of a process of a cluster: one JSON object per line on standard error, by pino. Loaded by the commands that need it.
import type { Log } from "./log.ts";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

/** `fields` are in every line: what process it is. Tokens are `Secret`s, which print as "***". */
export async function openPinoLog(level: LogLevel, fields: Readonly<Record<string, unknown>>): Promise<Log> {
  const { pino } = await import("pino");
  // Written at once: the last lines of a process that dies are those that are wanted.
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on("error", () => {}); // nobody reads any more (EPIPE), and that ends no worker
  return pino({ level, base: { pid: process.pid, ...fields }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
