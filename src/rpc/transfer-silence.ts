// Ends an exchange whose peer is silent (fault 54): one that has more of its body to send, or bytes of the answer to take, and
// moves too little of it in a window. A byte now and then is silence too, as otherwise it would hold a stream, a buffer and a
// file for days. A handler that thinks, waits for its disk, or has nothing to say yet is never taken for silence; nor is a caller
// that takes its time with what it sends or reads. A caller waits no longer for an answer's beginning either.
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { MillraceError } from "../base/error.ts";

export interface SilenceBounds {
  readonly silenceMs: number;
  readonly silenceBytesMin: number;
}

/** What has moved in one direction, and whether the peer was waited for, when it was last looked at. */
interface Seen {
  readonly isWaiting: boolean;
  readonly bytes: number;
  /** How often nothing was left to wait for: what waits now is not what waited then. */
  readonly emptied: number;
}

/** To be called before anything reads the request or writes the answer. */
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

/** The caller's side: to be called before anything is sent. `errorFor` says in whose name the exchange has failed. */
export function endSilentCall(
  request: ClientRequest,
  bounds: SilenceBounds,
  errorFor: (what: string) => MillraceError,
): void {
  let answer: IncomingMessage | undefined;
  let answering: (() => Seen) | undefined;
  // Some servers are asked first whether they want the body.
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

/** Gives what ends the watch. */
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
  // What has come while this process was busy or stopped is read before it is judged.
  const timer = setInterval(() => setImmediate(look), silenceMs).unref();
  return () => clearInterval(timer);
}

function isSilentSince(before: Seen, now: Seen, bytesMin: number): boolean {
  return before.isWaiting && now.isWaiting && before.emptied === now.emptied && now.bytes - before.bytes < bytesMin;
}

/** Waited for: a body that is being read, of which nothing lies here, and which has not ended. */
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
    // `readableDidRead` would be false for one of which nothing has come yet.
    isWaiting: !hasEnded && request.readableFlowing !== null && request.readableLength === 0,
    bytes,
    emptied: 0,
  });
}

/** Waited for: bytes that were written and are still here. A piece counts when it is gone whole, so pieces are small. */
function watchSent(message: ClientRequest | ServerResponse | Http2ServerResponse): () => Seen {
  // All kinds have these; their union can't be called.
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
