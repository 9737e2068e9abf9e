// Where a record's key is, and which keys equal nothing.
import { excerptOf } from "../../base/excerpt.ts";
import { isPlainObject } from "../../base/value/plain-value.ts";
import { isObject, userFunction, wrong } from "../check.ts";

/** Parses an entry of `on`: a field's name, names by part of a tuple or by name, or a function. Throws `wrong-job`. */
export function keyOf(what: string, on: unknown): (record: unknown) => unknown {
  if (typeof on === "function") return userFunction(what, on, "sync");
  if (typeof on === "string") return (record) => fieldOf(record, on);
  if (Array.isArray(on)) {
    const names: readonly string[] = on.map((name) => fieldName(what, name));
    return (record) => names.map((name) => fieldOf(record, name));
  }
  if (isObject(on)) {
    const names = Object.entries(on).map(([part, name]) => [part, fieldName(what, name)] as const);
    return (record) => Object.fromEntries(names.map(([part, name]) => [part, fieldOf(record, name)]));
  }
  throw wrong(
    `${what} is a field's name, an array of names for the parts of a tuple key, or a function, not ${excerptOf(on)}`,
  );
}

function fieldName(what: string, name: unknown): string {
  if (typeof name !== "string") throw wrong(`${what} has names of fields, not ${excerptOf(name)}`);
  return name;
}

function fieldOf(record: unknown, name: string): unknown {
  return (record as Readonly<Record<string, unknown>> | null | undefined)?.[name];
}

/** Whether a key is null or has a part that is: as in SQL, it equals no key, not even one of the same parts. */
export function hasNull(key: unknown): boolean {
  if (key === null) return true;
  if (typeof key !== "object") return false;
  if (Array.isArray(key)) return key.some(hasNull);
  return isPlainObject(key) && Object.values(key).some(hasNull);
}
