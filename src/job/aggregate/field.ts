// What an aggregate reads of a value: a field by name, or the value itself. Nothing is skipped silently.
import { types } from "node:util";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { wrong } from "../check.ts";

/** What an aggregate looks at. "unknown": the job's own code says, and no one else knows. */
export type Reads =
  | { readonly kind: "nothing" | "value" | "unknown" }
  | { readonly kind: "fields"; readonly names: readonly string[] };

/** The name of an aggregate as written in a job, such as `sum("bytes")`. */
export function nameOf(what: string, field: string | undefined, more = ""): string {
  const first = field === undefined ? "" : JSON.stringify(field);
  return `${what}(${[first, more].filter((text) => text !== "").join(", ")})`;
}

export function readsField(field: string | undefined): Reads {
  return field === undefined ? { kind: "value" } : { kind: "fields", names: [field] };
}

/** Throws `wrong-job` for what is no name of a field. */
export function fieldName(what: string, field: unknown): string {
  if (typeof field === "string" && field !== "") return field;
  throw wrong(`${what} takes the name of a field, not ${excerptOf(field)}`);
}

/** The field's value, or the value itself where `field` is undefined. Throws `wrong-value` where it is missing. */
export function partOf(aggregate: string, value: unknown, field: string | undefined): unknown {
  if (field === undefined) {
    if (value === undefined) throw refused(aggregate, "there is no value: emit(key, value)");
    return value;
  }
  const part = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[field] : undefined;
  if (part !== undefined) return part;
  throw refused(aggregate, `${excerptOf(value)} has no field ${JSON.stringify(field)}`);
}

/** A number, which is not NaN; -0 is 0. */
export function numberOf(aggregate: string, value: unknown, field: string | undefined): number {
  const part = partOf(aggregate, value, field);
  if (typeof part === "number" && !Number.isNaN(part)) return part + 0;
  throw wrongPart(aggregate, "numbers", part, field);
}

export function booleanOf(aggregate: string, value: unknown, field: string | undefined): boolean {
  const part = partOf(aggregate, value, field);
  if (typeof part === "boolean") return part;
  throw wrongPart(aggregate, "true or false", part, field);
}

export function wrongPart(aggregate: string, takes: string, part: unknown, field: string | undefined): MillraceError {
  const what = field === undefined ? "the value" : `the field ${JSON.stringify(field)}`;
  const skip = part === null && field !== undefined ? `; ifPresent(${aggregate}) skips values without one` : "";
  const shown = types.isDate(part) ? "a Date" : excerptOf(part);
  return refused(aggregate, `it takes ${takes}, and ${what} is ${shown}${skip}`);
}

function refused(aggregate: string, why: string): MillraceError {
  return new MillraceError("wrong-value", `${aggregate}: ${why}`);
}

/** Throws `over-limit` for a state that has grown beyond what the job allows. */
export function tooMany(aggregate: string, max: number, what: string, advice: string): MillraceError {
  return new MillraceError("over-limit", `${aggregate}: one key has more than ${max} ${what}. ${advice}`);
}
