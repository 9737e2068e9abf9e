/** States an assumption of our own. When it fails, that is a bug, never a user's mistake. Stays on in production. */
export function assert(condition: unknown, message = "assertion failed"): asserts condition {
  if (!condition) throw new Error(`millrace bug: ${message}`);
}

/** The value of a key that the map must have. `what` says in words what it is. */
export function held<K, V>(map: ReadonlyMap<K, V>, key: K, what: string): V {
  const value = map.get(key);
  if (value === undefined) throw new Error(`millrace bug: no ${what} is held for ${String(key)}`);
  return value;
}

/** For the default branch of an exhaustive switch: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`millrace bug: unreachable ${JSON.stringify(value)}`);
}
