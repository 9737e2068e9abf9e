import { valueOfShown } from "../../base/value/shown.ts";

/**
 * What `replay --key` takes for a key that a message shows so: plain text without its quotes unless it would be taken
 * for something else, JSON where JSON can say it, otherwise what is shown.
 */
export function keyWord(shown: string): string {
  const read = valueOfShown(shown);
  if (read === undefined) return shown;
  const { value } = read;
  if (typeof value === "string" && valueOfShown(value) === undefined && !value.endsWith("…")) return value;
  return isJson(value) ? JSON.stringify(value) : shown;
}

/** Whether JSON gives the value back as it is. */
function isJson(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== "object" || value === null) return ["string", "boolean", "object"].includes(typeof value);
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isJson);
}
