/** States an assumption of our own. When it fails, that is a bug, never a user's mistake. Stays on in production. */
export function assert(condition: unknown, message = "assertion failed"): asserts condition {
  if (!condition) throw new Error(`millrace bug: ${message}`);
}

/** For the default branch of an exhaustive switch: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`millrace bug: unreachable ${JSON.stringify(value)}`);
}
