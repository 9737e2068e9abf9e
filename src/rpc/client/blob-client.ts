// Transfers blobs to and from a master over HTTP/1.1, at several times gRPC's rate, and without a message in memory.
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isErrorCode, MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { blobName } from "../../protocol/blob-name.ts";
import type { Blobs } from "../../protocol/services.ts";
import { clientTls } from "../access/tls.ts";
import type { Secret } from "../access/token-digest.ts";
import { endSilentCall, type SilenceBounds } from "../transfer-silence.ts";
import type { Line } from "./line.ts";
import { describeFailure } from "./reach.ts";

export interface BlobClientOptions {
  /** The master to ask now. */
  readonly line: () => Line;
  readonly token: Secret;
  readonly ca: string | undefined;
  readonly closed: AbortSignal;
  /** Told of a master that could not take content, so that the next call goes to another one. */
  readonly failed: (line: Line, error: unknown) => void;
  /** Waits after `failures` in a row. */
  readonly pause: (failures: number, signal: AbortSignal) => Promise<void>;
  /** Repeats a call while that may help. */
  readonly repeat: <T>(
    signal: AbortSignal | undefined,
    call: (live: AbortSignal, line: Line) => Promise<T>,
  ) => Promise<T>;
  /** When a transfer counts as silent. Default: the bounds of `limits`. */
  readonly silence?: SilenceBounds;
}

export function blobClient(options: BlobClientOptions): Blobs {
  let failures = 0;
  return {
    has: (sha256, signal) =>
      options.repeat(signal, async (live, { address }) => {
        const response = await ask({ ...options, address }, "HEAD", sha256, live);
        response.resume();
        if (response.statusCode === 200) return true;
        if (response.statusCode === 404) return false;
        throw await refused(address, response);
      }),

    async put(sha256, content, bytesMax, signal) {
      const live = signal === undefined ? options.closed : AbortSignal.any([signal, options.closed]);
      const line = options.line();
      const { address } = line;
      try {
        const response = await ask({ ...options, address }, "PUT", sha256, live, bounded(content, sha256, bytesMax));
        if (response.statusCode !== 204) throw await refused(address, response);
        response.resume();
        failures = 0;
      } catch (error) {
        // Content can be read once, so only the caller can put it again, after the same pause as with every other call.
        if (error instanceof MillraceError && error.retry === "same") {
          options.failed(line, error);
          await options.pause(++failures, live);
        }
        throw error;
      }
    },

    get: (sha256, signal) =>
      options.repeat(signal, async (live, { address }) => {
        const response = await ask({ ...options, address }, "GET", sha256, live);
        if (response.statusCode === 200) return whole(address, sha256, response);
        if (response.statusCode !== 404) throw await refused(address, response);
        response.resume();
        throw new MillraceError(
          "bad-input",
          `the master has no blob ${sha256}: submit the job again, which uploads it again`,
        );
      }),
  };
}

async function* bounded(content: AsyncIterable<Uint8Array>, sha256: string, bytesMax: number) {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new MillraceError("over-limit", `the blob ${sha256} has more than ${bytesMax} bytes`);
    yield chunk;
  }
}

/** Sends a request, and resolves with the head of the answer. */
async function ask(
  { address, token, ca, silence = limits }: BlobClientOptions & { readonly address: string },
  method: "HEAD" | "GET" | "PUT",
  sha256: string,
  signal: AbortSignal,
  body?: AsyncIterable<Uint8Array>,
): Promise<IncomingMessage> {
  const url = new URL(`/v1/blobs/${blobName(sha256)}`, address);
  const headers: Record<string, string> = { authorization: `Bearer ${token.reveal()}` };
  // So that nothing is sent in vain to a master that refuses it.
  if (body !== undefined) headers.expect = "100-continue";
  const options = { method, headers, signal, agent: false as const };
  const request =
    url.protocol === "https:" ? httpsRequest(url, { ...options, ...clientTls(ca) }) : httpRequest(url, options);
  endSilentCall(
    request,
    silence,
    (what) => new MillraceError("unreachable", `the master at ${address} ${what}`, { retry: "same" }),
  );
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
  });
  let sent: Promise<unknown> = Promise.resolve();
  if (body === undefined) request.end();
  else {
    sent = new Promise<void>((resolve, reject) => {
      const send = () => pipeline(Readable.from(body), request).then(resolve, reject);
      request.once("continue", () => void send());
      request.once("response", () => resolve());
      request.once("close", () => resolve());
      request.flushHeaders();
    });
  }
  sent.catch(() => {}); // awaited below, unless the answer came first
  try {
    return await Promise.race([answered, sent.then(() => answered)]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw describeFailure(error, { address, hasAnswered: true });
  }
}

/** The answer's bytes, and an error if they are fewer than announced. */
async function* whole(address: string, sha256: string, response: IncomingMessage): AsyncIterable<Uint8Array> {
  const expected = response.headers["content-length"];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  } catch (error) {
    throw describeFailure(error, { address, hasAnswered: true });
  }
  if (!response.complete || (expected !== undefined && bytes !== Number(expected))) {
    throw new MillraceError("unreachable", `the blob ${sha256} ended after ${bytes} bytes: the connection was lost`, {
      retry: "same",
    });
  }
}

async function refused(address: string, response: IncomingMessage): Promise<MillraceError> {
  const { code, message } = await readError(response);
  const status = response.statusCode ?? 0;
  const leader = response.headers["x-millrace-leader"];
  if (typeof leader === "string") {
    return new MillraceError("not-leader", message, { retry: "same", leader: leader === "" ? undefined : leader });
  }
  if (status === 401 || status === 403)
    return new MillraceError("no-access", `the master at ${address} refuses the token: ${message}`);
  // Node's own answer to a head that was cut off, or a gateway's answer: the request never reached the master.
  if (code === "" && [400, 408, 502, 503, 504].includes(status)) {
    return new MillraceError(
      "unreachable",
      `the master at ${address} did not understand what arrived there (${message})`,
      {
        retry: "same",
      },
    );
  }
  return new MillraceError(isErrorCode(code) ? code : "io-error", message, {
    retry: status === 429 || status === 503 ? "same" : "never",
  });
}

async function readError(response: IncomingMessage): Promise<{ code: string; message: string }> {
  let text = "";
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > 10_000) break;
    }
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed && "code" in parsed) {
      return { code: String(parsed.code), message: String(parsed.message) };
    }
  } catch {
    // the body is not one of Millrace's errors
  }
  // The answer to a HEAD has no body, but the gate's message is in its head too.
  const said = response.headers["x-millrace-error"];
  return { code: "", message: typeof said === "string" ? decoded(said) : `HTTP ${response.statusCode}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
