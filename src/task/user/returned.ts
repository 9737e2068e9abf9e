// What map and reduce return is ignored, because results are emitted. But a user who returns them instead should not
// have to guess where they are.
import { MillraceError } from "../../base/error.ts";

/** Ends the job at the first call: the function has done nothing of what it should do. */
export class IteratorReturned extends MillraceError {
  constructor(what: "map" | "reduce" | "teardown") {
    super(
      "user-error",
      `${what} returned an iterator, and no one asks it for anything: the code of a generator never runs then. Make it a plain function that calls emit for each result`,
    );
  }
}

/** Watches what the calls of one attempt returned; "map" or "reduce" says whose calls they are. */
export class Returned {
  /** Whether one of them returned something that it may have meant to emit. */
  isAny = false;
  readonly #what: "map" | "reduce";

  constructor(what: "map" | "reduce") {
    this.#what = what;
  }

  /** Takes a return value that is no promise, or what a promise resolved to. Throws `IteratorReturned`. */
  take(value: unknown): void {
    if (typeof value === "object" && value !== null && isIterator(value)) throw new IteratorReturned(this.#what);
    if (!this.isAny && isResult(value)) this.isAny = true;
  }
}

/** `next` and being iterable are what generators, built-in iterators and their helpers have in common. */
export function isIterator(value: object): boolean {
  if (typeof (value as { next?: unknown }).next !== "function") return false;
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = value as Partial<Iterable<unknown>> &
    Partial<AsyncIterable<unknown>>;
  return typeof sync === "function" || typeof async === "function";
}

/**
 * Not what expressions leave behind: `words.map((word) => emit(word, 1))`, `isRight && emit(line)`, `line &&
 * emit(line)`.
 */
function isResult(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  if (typeof value !== "object" || value === null) return false;
  if (!Array.isArray(value)) return true;
  const first: unknown = value[0];
  return first !== undefined && first !== null && first !== "" && typeof first !== "boolean";
}
