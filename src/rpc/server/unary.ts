// Serves a gRPC call with one request and one answer directly on Node's HTTP/2 stream. Connect's handler does the same
// for every protocol and kind of call, at about a millisecond of CPU each. Heartbeats are nearly all the calls that a
// master gets, and ten thousand workers make three thousand of them a second (`bench/micro/heartbeat.bench.ts`).
// Anything but plain gRPC without compression goes to Connect.
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { AnyRequest, AnyResponse } from "./dispatch.ts";

/** Size of the flags and length in front of a message. */
const prefixBytes = 5;

export interface UnaryCall {
  readonly bytesMax: number;
  /** Resolves with the answer's bytes; rejects with a `ConnectError`. */
  answer(message: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

/** Whether `serveUnary` can answer this request. */
export function isPlainGrpc(request: AnyRequest): request is Http2ServerRequest {
  if (request.httpVersionMajor !== 2) return false;
  const { "content-type": type, "grpc-encoding": encoding } = request.headers;
  return (
    (type === "application/grpc" || type === "application/grpc+proto") &&
    (encoding === undefined || encoding === "identity")
  );
}

export async function serveUnary(request: Http2ServerRequest, response: AnyResponse, call: UnaryCall): Promise<void> {
  const answer = response as Http2ServerResponse;
  const gone = new AbortController();
  answer.once("close", () => {
    if (!answer.writableEnded) gone.abort(new ConnectError("the caller hung up", Code.Canceled));
  });
  try {
    const message = await call.answer(await readMessage(request, call.bytesMax), gone.signal);
    if (answer.destroyed || gone.signal.aborted) return;
    answer.writeHead(200, { "content-type": "application/grpc+proto" });
    answer.addTrailers({ "grpc-status": "0" });
    answer.end(inEnvelope(message));
  } catch (error) {
    if (answer.destroyed || gone.signal.aborted) return;
    const status = setTrailerStatus(new Headers(), ConnectError.from(error, Code.Internal));
    answer.writeHead(200, { "content-type": "application/grpc+proto", ...Object.fromEntries(status) });
    answer.end();
  }
}

function inEnvelope(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(prefixBytes + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, prefixBytes);
  return bytes;
}

/** Reads the message. Refuses a length that is too large before its bytes have come. */
function readMessage(request: Http2ServerRequest, bytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const fail = (code: Code, message: string) => {
      request.removeListener("data", take);
      request.resume();
      reject(new ConnectError(message, code));
    };
    const take = (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      if (bytes < prefixBytes) return;
      const [first = part] = parts;
      const head = first.length >= prefixBytes ? first : Buffer.concat(parts);
      const length = head.readUInt32BE(1);
      if (head[0] !== 0) fail(Code.Unimplemented, "compressed messages are not taken without grpc-encoding");
      else if (length > bytesMax)
        fail(Code.ResourceExhausted, `a message of ${length} bytes is larger than ${bytesMax}`);
      else if (bytes > prefixBytes + length) fail(Code.InvalidArgument, "one message was expected, not several");
    };
    request.on("data", take);
    request.once("end", () => {
      const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      if (whole.length < prefixBytes || whole.length !== prefixBytes + whole.readUInt32BE(1)) {
        reject(new ConnectError("the message is not whole", Code.InvalidArgument));
      } else resolve(whole.subarray(prefixBytes));
    });
    request.once("error", reject);
    request.once("aborted", () => reject(new ConnectError("the caller hung up", Code.Canceled)));
  });
}
