// What makes a value plain, and how an error names the part of a value that is not. All code that must carry a value
// without changing it uses these.
import { types } from "node:util";
import { MillraceError } from "../error.ts";
import { aPromise, excerptOf } from "../excerpt.ts";

/**
 * Whether the object is plain: made by `{}`, JSON.parse, Object.create(null) or a csv reader, without symbols as names.
 */
export function isPlainObject(value: object): boolean {
  return isPlainPrototype(Object.getPrototypeOf(value)) && Object.getOwnPropertySymbols(value).length === 0;
}

/** Also true for a prototype that passes nothing on, which rows with a header have (format/table/table.ts). */
export function isPlainPrototype(prototype: object | null): boolean {
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Reflect.ownKeys(prototype).length === 0;
}

/** Steps from a value to one of its parts: property names and indexes. */
export type ValuePath = readonly (string | number)[];

/**
 * The error that says why `part` can't be carried. `carrier` is what refuses it ("auto", "json()"), `advice` is what to
 * do.
 */
export function notPlain(carrier: string, part: unknown, path: ValuePath, advice: string): MillraceError {
  const where = path.length === 0 ? "" : ` at ${pathText(path)}`;
  return new MillraceError("wrong-value", `${carrier} can't carry ${nameOf(part)}${where}. ${advice}`);
}

/** Shows a path as `.a[3]["odd name"]`; a long one is shortened. */
function pathText(path: ValuePath): string {
  const steps = path.map((step) =>
    typeof step === "number"
      ? `[${step}]`
      : /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step)
        ? `.${step}`
        : `[${JSON.stringify(step)}]`,
  );
  const shown = steps.length <= 12 ? steps : [...steps.slice(0, 6), "…", ...steps.slice(-4)];
  const text = shown.join("");
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}

function nameOf(part: unknown): string {
  switch (typeof part) {
    case "undefined":
      return "undefined";
    case "function":
    case "symbol":
      return `a ${typeof part}`;
    case "object": {
      if (part === null) return "null";
      if (types.isProxy(part)) return "a Proxy";
      if (types.isPromise(part)) return aPromise;
      const className = classNameOf(part);
      return className === undefined
        ? `an object (${excerptOf(part)})`
        : `${/^[AEIOU]/.test(className) ? "an" : "a"} ${className} (${excerptOf(part)})`;
    }
    default:
      return excerptOf(part);
  }
}

function classNameOf(value: object): string | undefined {
  try {
    const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
    return typeof name === "string" && name !== "" && name !== "Object" ? name.slice(0, 60) : undefined;
  } catch {
    return undefined; // a user's getter or proxy that throws
  }
}
