/** What a slot writes before the text of an error that was thrown between attempts, where there is none to report it for. */
export const uncaughtMark = "uncaught, in a callback or promise that nothing waits for: ";
