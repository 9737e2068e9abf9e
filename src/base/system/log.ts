/**
 * Structured logs in the shape of pino's: the message is a sentence, and what it is about goes into fields. A log is a
 * parameter, as the clock is.
 */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log that says nothing. */
export const noLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
