import { excerptOf } from "../excerpt.ts";

/**
 * The message of what a codec, a schema or other code of the user's has thrown. Never throws, whatever that was: a
 * value without a text form (`{ toString: null }`, an object without a prototype, a proxy) is shown as in an excerpt.
 */
export function messageOf(thrown: unknown): string {
  let message = thrown;
  try {
    if (thrown instanceof Error) message = thrown.message;
  } catch {
    // A proxy's trap has thrown, or a getter: the value is shown without running the user's code.
  }
  return typeof message === "string" ? message : excerptOf(message);
}
