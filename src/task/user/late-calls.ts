// What the job's code does after its call has ended (fault 26). It can't count any more, so something is lost, and that
// is the job's error, whatever the code makes of it. Each attempt has one of these; where it is kept decides what the
// error ends.
//
//   live ─► noted: the first late call is the attempt's error       live, noted ─► void: the attempt failed or was revoked
import { MillraceError } from "../../base/error.ts";
import { locationOfFunction } from "../../job/load/function-location.ts";
import { userStack } from "../../job/thrown.ts";

/** The function whose calls end. */
export interface CallOf {
  readonly name: "map" | "reduce" | "setup";
  /** The job's functions that the call may be of. */
  readonly code: readonly ((...values: never) => unknown)[];
}

/** Frames of the stack of a late call: between the job's code and `emit` there may be much of a library. */
const framesMax = 60;

/** The first late call of an attempt. */
export interface Late {
  readonly thrown: unknown;
  /**
   * Set where the thrown error has no line of the job's code: the functions that were called then, as lines of a stack.
   */
  readonly begins: string | undefined;
}

export class LateCalls {
  /** What is called now, or was called last. */
  during: CallOf | undefined;
  #first: Late | undefined;
  #isVoid = false;
  readonly #noted: (late: Late) => void;

  /** `noted` is called at the first late call, also when the attempt has been reported. */
  constructor(noted: (late: Late) => void = () => {}) {
    this.#noted = noted;
  }

  get first(): Late | undefined {
    return this.#first;
  }

  /**
   * Says that nothing of the attempt counts, so that nothing can be lost: what still goes on is refused, but is no
   * error.
   */
  void(): void {
    this.#isVoid = true;
  }

  /**
   * Throws to the code that calls late. `isFailed`: the call that it belongs to has failed itself, and counts for
   * nothing.
   */
  refuse(what: string, of: CallOf, isFailed = false): never {
    const isError = !this.#isVoid && !isFailed;
    const refused = isError ? lateCall(what, of, this.#first === undefined) : givenUp(what);
    refusals.add(refused);
    if (isError) this.note(refused);
    throw refused;
  }

  /** Notes something that was thrown, or done, outside of any call. */
  note(thrown: unknown): void {
    if (this.#isVoid || this.#first !== undefined) return;
    this.#first = this.placed(thrown);
    this.#noted(this.#first);
  }

  /** Adds places to errors of Node's own functions and to values that are no errors, as they have no line. */
  placed(thrown: unknown): Late {
    const { during } = this;
    const hasLine = during === undefined || userStack(thrown) !== undefined;
    return { thrown, begins: hasLine ? undefined : userStack({ stack: placesOf(during) }) };
  }

  /** Throws the attempt's error, if it has one. */
  check(): void {
    if (this.#first !== undefined) throw this.#first.thrown;
  }
}

/**
 * Whether the error was made here: the attempt knows it, and that it also comes up uncaught says nothing more. The code
 * is wrong, however often it is run.
 */
export function isRefusal(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && refusals.has(thrown);
}

const refusals = new WeakSet<object>();

/**
 * For a result that is not waited for. Refuses a promise, as what that does later can't count; otherwise returns the
 * result.
 */
export function refusePromise<T>(returned: T, what: string): T {
  return returned === undefined || !isPromise(returned) ? returned : refuseReturned(returned, what);
}

/** Out of line, as code that is hardly ever called would keep the rest from being inlined. */
function refuseReturned(returned: PromiseLike<unknown>, what: string): never {
  returned.then(undefined, () => {}); // this error says it all
  const refused = new MillraceError(
    "user-error",
    `${what} returned a promise, and nothing waits for it: ${what} has to be done when it returns. Await what it needs in setup or in map`,
  );
  refusals.add(refused);
  throw refused;
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** `isFirst`: it will be shown, and needs a place. */
function lateCall(what: string, of: CallOf, isFirst: boolean): MillraceError {
  const { name } = of;
  const ended = name === "setup" ? "the task of its setup or teardown had ended" : `its call of ${name} had returned`;
  const late = (why: string) =>
    withFrames(
      () =>
        new MillraceError(
          "user-error",
          `${what} after ${ended}, so it can't count: ${why} goes on by itself. Await it or return its promise`,
        ),
    );
  const refused = late(`something that ${name} started`);
  if (!isFirst || userStack(refused) !== undefined) return refused;
  // The function itself was handed on (`.then(emit)`): Node made the call, and nothing of the job's code is on the
  // stack.
  const bare = late(`${name} handed it on to a promise, timer or callback, which`);
  bare.stack += placesOf(of);
  return bare;
}

/** The places where the functions begin that may have done it, as lines of a stack. */
function placesOf({ name, code }: CallOf): string {
  const places = code.map((one) => {
    const place = locationOfFunction(one);
    return place === undefined ? "" : `\n    at ${one.name === "" ? name : one.name} (${place})`;
  });
  return places.join("");
}

function givenUp(what: string): MillraceError {
  return new MillraceError("cancelled", `${what}, but the attempt that it belongs to has been given up`);
}

function withFrames<T>(make: () => T): T {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = framesMax;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = before;
  }
}
