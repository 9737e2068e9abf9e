// Checks of single properties, which the parsers of a job share. All throw `wrong-job`.
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";

export type Unchecked = Readonly<Record<string, unknown>>;
export type UserFunction = (...args: unknown[]) => unknown;

/**
 * Checks that the value is a function that can be called as user code is: a generator would never run, and with `only:
 * "sync"` no one would wait for the result.
 */
export function userFunction(what: string, value: unknown, only?: "sync"): UserFunction {
  if (typeof value !== "function") throw wrong(`${what} is a function, not ${excerptOf(value)}`);
  const kind = Object.prototype.toString.call(value);
  if (kind.includes("Generator")) throw wrong(`${what} is a generator function, which would never run: remove the *`);
  if (only === "sync" && kind.includes("Async"))
    throw wrong(`${what} is async, and its result is needed at once: remove async`);
  return value as UserFunction;
}

export function refuseUncalled(what: string, value: unknown): void {
  if (typeof value === "function") {
    const name = value.name || "text";
    throw wrong(`${what} is the function ${name} itself: call it, as in ${name}()`);
  }
}

/**
 * Names appear on the command line (`users=PATH`) and as directories, and objects keep the order only of names that
 * begin with a letter.
 */
export function checkName(what: string, name: string): void {
  if (!/^[A-Za-z][\w-]{0,63}$/.test(name)) {
    throw wrong(
      `the name of ${what} begins with a letter and has letters, digits, _ and -, at most 64; not ${excerptOf(name)}`,
    );
  }
}

export function wholeNumber(what: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw wrong(`${what} is a whole number from ${least} to ${most}, not ${excerptOf(value)}`);
  }
  return value + 0; // -0 is 0
}

export function oneOf<T extends string>(what: string, value: unknown, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    const words = choices.map((word) => JSON.stringify(word));
    throw wrong(`${what} is ${words.slice(0, -1).join(", ")} or ${words.at(-1)}, not ${excerptOf(value)}`);
  }
  return choice;
}

/** A property that is left out or undefined has no value. */
export function optional<T>(options: Unchecked, property: string, parse: (value: unknown) => T): T | undefined {
  return options[property] === undefined ? undefined : parse(options[property]);
}

export function isObject(value: unknown): value is Unchecked {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isFormat(value: unknown, method: "read" | "write"): value is object {
  return isObject(value) && typeof value[method] === "function";
}

export function wrong(message: string): MillraceError {
  return new MillraceError("wrong-job", message);
}
