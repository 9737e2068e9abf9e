// Which calls may share an `emit` and a `ctx`. Where all calls return before anything else happens, one of each serves them all: it is
// closed when the call returns, and who uses it then is late. Where a call goes on, in a promise, who called before could use what
// is open for that one, and nobody could tell whose call it is. So each call of a function that returns promises gets its own.
import { types } from "node:util";

type UserFunction = (...values: never) => unknown;

const returnPromises = new WeakSet<UserFunction>();

/** Whether calls of it return before anything else happens, as far as is known. */
export function mayShare(call: UserFunction): boolean {
  return !types.isAsyncFunction(call) && !returnPromises.has(call);
}

/** Thrown where a function that may share returned its first promise after others of its calls: the task begins again. */
export class ReturnsPromises extends Error {
  constructor(call: UserFunction) {
    super("begin again: it returns promises");
    returnPromises.add(call);
  }
}
