// TypeScript source for values and names out of files, which may hold anything: no character of theirs ends a comment
// or a string, or shows the code in another order than it is.

/** A string, in ASCII where a character would not be seen. */
export function literal(text: string): string {
  return JSON.stringify(text).replace(/[\p{C}\u2028\u2029]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

const identifier = /^[A-Za-z_$][\w$]*$/;

/** A name in an object's literal. `__proto__` in brackets is a name like any other. */
export function propertyName(name: string): string {
  if (name === "__proto__") return '["__proto__"]';
  return identifier.test(name) ? name : literal(name);
}

/** `row.name`, or `row["a name"]`. */
export function access(object: string, name: string): string {
  return identifier.test(name) ? `${object}.${name}` : `${object}[${literal(name)}]`;
}

/** Any value that a record of a built-in format has. */
export function valueCode(value: unknown): string {
  if (typeof value === "string") return literal(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Date) return `new Date(${literal(value.toISOString())})`;
  if (Array.isArray(value)) return `[${value.map(valueCode).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const fields = Object.entries(value).map(([name, held]) => `${propertyName(name)}: ${valueCode(held)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}

/** The code on one line, or with a line for each of its parts where that is too long. */
export function wrapped(open: string, parts: readonly string[], close: string, indent: string): string {
  const space = open.endsWith("{") ? " " : "";
  const one = `${open}${space}${parts.join(", ")}${space}${close}`;
  if (indent.length + one.length <= lineMax) return one;
  return `${open}\n${parts.map((part) => `${indent}  ${part},\n`).join("")}${indent}${close}`;
}

const lineMax = 100;
