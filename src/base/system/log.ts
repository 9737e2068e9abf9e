/** Structured logs, in the shape of pino's: what is said is a sentence, what it is about are fields. A parameter like the clock. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing. */
export const noLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
