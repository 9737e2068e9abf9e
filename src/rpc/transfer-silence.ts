// Ends an exchange whose peer is silent (fault 54): the peer has more of its body to send, or bytes of the answer to
// take, and moves too little in a window. A byte now and then counts as silence too, as it would otherwise hold a
// stream, a buffer and a file for days. This process's own slowness is never taken for silence: a handler that thinks,
// waits for its disk or has nothing to say yet, or a caller that takes its time with sending or reading. A caller does
// not wait longer for the beginning of an answer either.
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { MillraceError } from "../base/error.ts";

export interface SilenceBounds {
  readonly silenceMs: number;
  readonly silenceBytesMin: number;
}

/** What had moved in one direction at the last look, and whether the peer was waited for. */
interface Seen {
  readonly isWaiting: boolean;
  readonly bytes: number;
  /**
   * How often nothing was left to wait for. If it has grown, the bytes that wait now are not those that waited before.
   */
  readonly emptied: number;
}

/** The server's side. Call it before anything reads the request or writes the answer. */
export function endSilent(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  { silenceMs, silenceBytesMin }: SilenceBounds,
): void {
  const stop = watchSilence([watchBody(request), watchSent(response)], { silenceMs, silenceBytesMin }, () => {
    const error = new MillraceError("unreachable", `the other side ${movedTooLittle({ silenceMs, silenceBytesMin })}`);
    request.destroy(error);
    response.destroy(error);
  });
  response.once("close", stop);
}

/** The caller's side. Call it before anything is sent. `errorFor` makes the error of a failed exchange. */
export function endSilentCall(
  request: ClientRequest,
  bounds: SilenceBounds,
  errorFor: (what: string) => MillraceError,
): void {
  let answer: IncomingMessage | undefined;
  let answering: (() => Seen) | undefined;
  // With `Expect: 100-continue` the server is asked first whether it wants the body.
  let isAsking = request.getHeader("expect") !== undefined;
  request.once("continue", () => (isAsking = false));
  request.once("response", (response) => {
    answer = response;
    answering = watchBody(response);
  });
  const beginning = () => {
    const isWaiting = answer === undefined && request.writableLength === 0 && (isAsking || request.writableEnded);
    return { isWaiting, bytes: 0, emptied: isAsking ? 0 : 1 };
  };
  const nothing = { isWaiting: false, bytes: 0, emptied: 0 };
  const ways = [watchSent(request), beginning, () => answering?.() ?? nothing];
  const stop = watchSilence(ways, bounds, () => {
    const error = errorFor(movedTooLittle(bounds));
    answer?.destroy(error);
    request.destroy(error);
  });
  request.once("close", stop);
}

function movedTooLittle({ silenceMs, silenceBytesMin }: SilenceBounds): string {
  return `moved less than ${silenceBytesMin} bytes in ${silenceMs} ms`;
}

/** Watches an exchange. Returns a function that ends the watch. */
function watchSilence(
  ways: readonly (() => Seen)[],
  { silenceMs, silenceBytesMin }: SilenceBounds,
  onSilent: () => void,
): () => void {
  let before = ways.map((way) => way());
  const look = () => {
    const now = ways.map((way) => way());
    const isSilent = now.some((seen, at) => isSilentSince(before[at]!, seen, silenceBytesMin));
    before = now;
    if (!isSilent) return;
    clearInterval(timer);
    onSilent();
  };
  // Bytes that came while this process was busy or stopped are read before the look.
  const timer = setInterval(() => setImmediate(look), silenceMs).unref();
  return () => clearInterval(timer);
}

function isSilentSince(before: Seen, now: Seen, bytesMin: number): boolean {
  return before.isWaiting && now.isWaiting && before.emptied === now.emptied && now.bytes - before.bytes < bytesMin;
}

/** The peer is waited for when the body is being read, has not ended, and no byte of it lies here. */
function watchBody(request: IncomingMessage | Http2ServerRequest): () => Seen {
  const push = request.push.bind(request);
  let bytes = 0;
  let hasEnded = false;
  request.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    if (chunk === null) hasEnded = true;
    else bytes += chunk.length;
    return push(chunk, encoding);
  };
  return () => ({
    // Not `readableDidRead`, which is false as long as no byte has come.
    isWaiting: !hasEnded && request.readableFlowing !== null && request.readableLength === 0,
    bytes,
    emptied: 0,
  });
}

/**
 * The peer is waited for when written bytes are still here. A piece counts when all of it is gone, so pieces are small.
 */
function watchSent(message: ClientRequest | ServerResponse | Http2ServerResponse): () => Seen {
  // All kinds of messages have these methods, but TypeScript can't call them on the union.
  const answer = message as ServerResponse;
  const left = () => ("stream" in message ? (message.stream?.writableLength ?? 0) : answer.writableLength);
  let bytes = 0;
  let emptied = 0;
  const write = answer.write.bind(answer) as (...given: unknown[]) => boolean;
  const note = (chunk: unknown) => {
    if (left() === 0) emptied++;
    if (typeof chunk === "string" || chunk instanceof Uint8Array) bytes += Buffer.byteLength(chunk);
  };
  answer.write = (...given: unknown[]) => {
    note(given[0]);
    return write(...given);
  };
  if (!("stream" in message)) {
    const end = answer.end.bind(answer) as (...given: unknown[]) => ServerResponse;
    answer.end = (...given: unknown[]) => {
      note(given[0]);
      return end(...given);
    };
  }
  return () => {
    const waiting = left();
    return { isWaiting: waiting > 0, bytes: bytes - waiting, emptied };
  };
}
