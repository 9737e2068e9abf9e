// JSON for values that must come back unchanged: `json()`, ndjson output and the codecs that carry JSON text use it
// instead of JSON.stringify, which drops what it can't write.
import { limits } from "../limits.ts";
import { isPlainObject, notPlain } from "./plain-value.ts";

/**
 * JSON text that `JSON.parse` turns back into the same value, except that -0 becomes 0 and objects without a prototype
 * become plain ones.
 *
 * Throws `wrong-value`, naming the place, for everything that JSON.stringify drops or changes silently: undefined and
 * holes, functions, symbols, NaN and infinities, Dates, Maps, bytes and other class instances; also for bigints, and
 * for values that are nested more than 1000 deep, which includes those that contain themselves. `carrier` names in
 * errors what refuses the value: "json()", "ndjson()".
 */
export function strictJson(
  value: unknown,
  carrier: string,
  { bigints = false }: { readonly bigints?: boolean } = {},
): string {
  if (!bigints) {
    check(value, carrier, []);
    return JSON.stringify(value);
  }
  let hasBigints = false;
  check(value, carrier, [], () => {
    hasBigints = true;
  });
  return hasBigints ? withDigits(value) : JSON.stringify(value);
}

/** Writes a checked value as `JSON.stringify` does, and bigints by their digits. */
function withDigits(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(withDigits).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const parts = Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}:${withDigits(part)}`);
  return `{${parts.join(",")}}`;
}

function check(value: unknown, carrier: string, path: (string | number)[], onBigint?: () => void): void {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      throw notPlain(carrier, value, path, "JSON has no such number; write null or a string instead.");
    case "object":
      if (value === null) return;
      if (path.length >= limits.nestingMax) {
        throw notPlain(carrier, value, path, `It is nested more than ${limits.nestingMax} deep, or contains itself.`);
      }
      if (Array.isArray(value)) checkArray(value, carrier, path, onBigint);
      else if (isPlainObject(value)) checkObject(value as Readonly<Record<string, unknown>>, carrier, path, onBigint);
      else throw notPlain(carrier, value, path, "JSON would change it; make a plain object, array or string of it.");
      return;
    case "undefined":
      throw notPlain(carrier, value, path, "JSON would drop it; leave the property out or write null.");
    case "bigint":
      if (onBigint !== undefined) {
        onBigint();
        return;
      }
      throw notPlain(
        carrier,
        value,
        path,
        `JSON has no bigints; write a string, ${carrier === "ndjson()" ? 'or by ndjson({ integers: "bigint" })' : "or use the codecs bigint or auto"}.`,
      );
    default:
      throw notPlain(carrier, value, path, "JSON would drop it.");
  }
}

function checkArray(
  array: readonly unknown[],
  carrier: string,
  path: (string | number)[],
  onBigint: (() => void) | undefined,
): void {
  for (let i = 0; i < array.length; i++) {
    const part = array[i];
    if (typeof part === "string") continue;
    path.push(i);
    check(part, carrier, path, onBigint);
    path.pop();
  }
}

function checkObject(
  object: Readonly<Record<string, unknown>>,
  carrier: string,
  path: (string | number)[],
  onBigint: (() => void) | undefined,
): void {
  for (const name of Object.keys(object)) {
    const part = object[name];
    if (typeof part === "string") continue;
    path.push(name);
    check(part, carrier, path, onBigint);
    path.pop();
  }
}
