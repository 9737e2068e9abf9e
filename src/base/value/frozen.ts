// Values that are shared by many and that no one can change, at any depth.

const setters: PropertyDescriptorMap = Object.fromEntries(
  Object.getOwnPropertyNames(Date.prototype)
    .filter((name) => name.startsWith("set"))
    .map((name) => [
      name,
      {
        value: () => {
          throw new TypeError(`Cannot ${name} of a Date that is shared: change a copy of it, new Date(date)`);
        },
      },
    ]),
);

/**
 * Freezes plain data in place: objects, arrays, Dates, and what they hold. Freezing does not reach into a Date, so its
 * setters are made to throw. Bytes can't be frozen at all, so a property that holds bytes returns a new copy of them
 * each time.
 */
export function deepFrozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (value instanceof Date) return Object.freeze(Object.defineProperties(value, setters));
  for (const name of Object.keys(value)) {
    const part = (value as Readonly<Record<string, unknown>>)[name];
    if (!(part instanceof Uint8Array)) deepFrozen(part);
    else Object.defineProperty(value, name, { get: () => new Uint8Array(part), enumerable: true });
  }
  return Object.freeze(value);
}
