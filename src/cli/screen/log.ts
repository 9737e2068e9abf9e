// The log of a long-running process: one JSON object per line on standard error, for a service manager to collect.
import { pino } from "pino";
import type { Log } from "../../base/system/log.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** `fields` are in every line. Tokens are `Secret`s, which print as "***". */
export function openLog(level: LogLevel, fields: Readonly<Record<string, unknown>>): Log {
  // Synchronous, because the last lines of a process that dies are the most important ones.
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on("error", () => {}); // no one reads the log any more (EPIPE), which must not end the process
  return pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
