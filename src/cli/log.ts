// The log of a long-running process: one JSON object per line on standard error, for whatever collects it.
import { pino } from "pino";
import type { Log } from "../base/log.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Written at once, so that the last line before a crash is there too. */
export function openLog(level: LogLevel, fields: Readonly<Record<string, unknown>>): Log {
  return pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
