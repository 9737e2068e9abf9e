// The log of a long-running process: one JSON object per line on standard error, for whatever collects it.
import { pino } from "pino";
import type { Log } from "../../base/system/log.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** `fields` are in every line. Tokens are `Secret`s, which print as "***". */
export function openLog(level: LogLevel, fields: Readonly<Record<string, unknown>>): Log {
  // Written at once: the last lines of a process that dies are those that are wanted.
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on("error", () => {}); // nobody reads any more (EPIPE), and that ends nothing
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
