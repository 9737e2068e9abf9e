// Rules for a job's counters that hold wherever they are added up: in a task, over its tasks, and in an inline run.
import { MillraceError } from "./error.ts";
import { limits } from "./limits.ts";

/**
 * Adds exactly: safe integers stay numbers, larger totals become bigints. So totals are the same in every order of
 * adding.
 */
export function exactSum(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const sum = BigInt(a) + BigInt(b);
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : sum;
}

/** The error for a counter that is one too many; `name` is that counter's. */
export function tooManyCounters(name: string): MillraceError {
  return new MillraceError(
    "over-limit",
    `the job has more than ${limits.counterNamesMax} counters: ${JSON.stringify(name.slice(0, 60))} is one too many. Counters are for a few totals; emit a pair to count by key`,
  );
}

export function counterTooLarge(name: string): MillraceError {
  return new MillraceError(
    "over-limit",
    `the counter ${JSON.stringify(name.slice(0, 60))} adds up to more than 2^53-1 over all tasks`,
  );
}
