/**
 * A slot writes this before the text of an error that was thrown between attempts, when there is no attempt to report
 * it for.
 */
export const uncaughtMark = "uncaught, in a callback or promise that nothing waits for: ";
