// What holds for a job's counters wherever they are added up: in a task, over its tasks, in an inline run.
import { MillraceError } from "./error.ts";
import { limits } from "./limits.ts";

/** Safe integers as numbers, what is beyond them as a bigint: totals come out the same in every order of adding. */
export function exactSum(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const sum = BigInt(a) + BigInt(b);
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : sum;
}

/** `name`: one that is too many. */
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
