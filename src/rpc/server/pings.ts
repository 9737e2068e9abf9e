// Pings of an HTTP/2 connection, so that half-open ones don't linger (fault 49). The other end pings too
// (client/client.ts).
import type { ServerHttp2Session } from "node:http2";

/** Pings the other end every `ms`, and ends the session when an answer is missing for as long. */
export function pingEvery(ms: number, session: ServerHttp2Session): void {
  let isWaiting = false;
  const timer = setInterval(() => {
    if (session.destroyed) return; // "close" is still to come, and a ping would throw
    if (isWaiting) {
      // After this process stood still, answers wait to be read. They are read before immediates are called.
      setImmediate(() => isWaiting && session.destroy());
      return;
    }
    isWaiting = true;
    const isSent = session.ping((error: Error | null) => {
      if (error === null) isWaiting = false;
    });
    if (!isSent) session.destroy();
  }, ms).unref();
  session.once("close", () => clearInterval(timer));
}
