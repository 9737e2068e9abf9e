// Decides which calls may share an `emit` and a `ctx`. Where all calls return before anything else happens, one `emit`
// and one `ctx` serve them all: they are closed when the call returns, and code that uses them later is late. Where a
// call goes on, in a promise, an earlier call could use what is open for that one, and no one could tell whose call it
// is. So each call of a function that returns promises gets its own.
import { types } from "node:util";

type UserFunction = (...values: never) => unknown;

const returnPromises = new WeakSet<UserFunction>();

/** Whether calls of the function return before anything else happens, as far as is known. */
export function mayShare(call: UserFunction): boolean {
  return !types.isAsyncFunction(call) && !returnPromises.has(call);
}

/**
 * Thrown where a function that may share returned its first promise after others of its calls: the task begins again.
 */
export class ReturnsPromises extends Error {
  constructor(call: UserFunction) {
    super("begin again: it returns promises");
    returnPromises.add(call);
  }
}
