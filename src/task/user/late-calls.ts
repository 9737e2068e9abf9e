// What the job's code does after its call has ended (fault 26): it can't count any more, so something is lost, and that is the
// job's error, whatever the code makes of it. One of these for each attempt; where it is kept decides what the error ends.
//
//   live ─► noted: the first late call is the attempt's error       live, noted ─► void: the attempt failed or was revoked
import { MillraceError } from "../../base/error.ts";
import { locationOfFunction } from "../../job/load/function-location.ts";
import { userStack } from "../../job/thrown.ts";

/** Whose calls end. */
export interface CallOf {
  readonly name: "map" | "reduce" | "setup";
  /** The job's functions that it is a call of. */
  readonly code: readonly ((...values: never) => unknown)[];
}

/** Frames of the stack of a late call: between the job's code and `emit` there may be much of a library. */
const framesMax = 60;

/** The first late call of an attempt. */
export interface Late {
  readonly thrown: unknown;
  /** Where what was thrown has no line of the job's code: the functions that were called then, as lines of a stack. */
  readonly begins: string | undefined;
}

export class LateCalls {
  /** What is called now, or was last. */
  during: CallOf | undefined;
  #first: Late | undefined;
  #isVoid = false;
  readonly #noted: (late: Late) => void;

  /** `noted` hears of the first late call at once, also when the attempt has been reported. */
  constructor(noted: (late: Late) => void = () => {}) {
    this.#noted = noted;
  }

  get first(): Late | undefined {
    return this.#first;
  }

  /** Nothing of the attempt counts, so that nothing of it can be lost: what still goes on is refused, and no error. */
  void(): void {
    this.#isVoid = true;
  }

  /** Throws to whoever calls late. `isFailed`: the call that it belongs to has failed itself, and counts for nothing. */
  refuse(what: string, of: CallOf, isFailed = false): never {
    const isError = !this.#isVoid && !isFailed;
    const refused = isError ? lateCall(what, of, this.#first === undefined) : givenUp(what);
    refusals.add(refused);
    if (isError) this.note(refused);
    throw refused;
  }

  /** Something was thrown, or done, outside of any call. */
  note(thrown: unknown): void {
    if (this.#isVoid || this.#first !== undefined) return;
    this.#first = this.placed(thrown);
    this.#noted(this.#first);
  }

  /** Errors of Node's own functions and what is no error have no line. */
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

/** Made here: the attempt knows of it, and that it comes up uncaught as well says nothing more. The code is wrong, however often it is run. */
export function isRefusal(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && refusals.has(thrown);
}

const refusals = new WeakSet<object>();

/**
 * For what is called without being waited for. A promise that it returns is refused, as what it does then can't count. Otherwise
 * returns what it returned.
 */
export function refusePromise<T>(returned: T, what: string): T {
  return returned === undefined || !isPromise(returned) ? returned : refuseReturned(returned, what);
}

/** Out of line: what is hardly ever called would keep the rest from being inlined. */
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
  // The function itself was handed on (`.then(emit)`): Node made the call, and nothing of the job's code is on the stack.
  const bare = late(`${name} handed it on to a promise, timer or callback, which`);
  bare.stack += placesOf(of);
  return bare;
}

/** As lines of a stack: where the functions begin that may have done it. */
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
