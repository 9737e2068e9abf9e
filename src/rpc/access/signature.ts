// Signed requests between workers, and from the master to workers (S19): no token leaves a process for them. The key of
// a job is derived from the worker token, so nothing has to be handed out, and a slot that holds one job's key can't
// ask for another's data:
//
//   key       = HKDF-SHA256(worker token, salt "millrace-shuffle", info job id), 32 bytes in hexadecimal
//   signature = HMAC-SHA256(key, method \n path \n query \n host:port \n SHA-256 of the body \n expires), in
//   hexadecimal
//
// An eavesdropper can repeat a request to the same worker for some minutes, and can't change it: the signature covers
// the worker's host and port, and a worker checks it with its own, never with the Host that was sent. A signature
// covers the question, not the answer, which is checked by block checksums and identities. Slots load this file, so it
// needs nothing but node:crypto.
import { createHash, createHmac, hkdfSync } from "node:crypto";
import { assert } from "../../base/assert.ts";
import type { JobId } from "../../base/ids.ts";
import { digestOf, type Secret, sameDigest } from "./token-digest.ts";

export const expiresHeader = "x-millrace-expires";
export const signatureHeader = "x-millrace-signature";
/** Header with the SHA-256 of the body, in hexadecimal, so that the head can be checked before the body has come. */
export const bodyHeader = "x-millrace-body";

/** The SHA-256 of no bytes. */
export const emptyBody = digestOfBody("");

/** A signature is valid for this long. */
const validMs = 120_000;
/** Clocks of two machines may be this far apart. */
const skewMs = 120_000;

/** The shuffle key of a job. */
export function jobKey(workerToken: Secret, job: JobId): string {
  return Buffer.from(hkdfSync("sha256", workerToken.reveal(), "millrace-shuffle", job, 32)).toString("hex");
}

export interface SignedRequest {
  readonly method: string;
  /** The path as it is sent, without the query. */
  readonly path: string;
  /** The query as it is sent, without "?"; "" where there is none. */
  readonly query: string;
  /** The worker's address as it announces it, such as "http://10.0.0.7:7071". */
  readonly address: string;
  /** SHA-256 of the body, in hexadecimal. */
  readonly body: string;
}

/** The digest for `SignedRequest.body`. */
export function digestOfBody(body: Uint8Array | string): string {
  return createHash("sha256").update(body).digest("hex");
}

/** The headers to send. `date` is the time by the master's clock (`Welcome.timeMs`), within two minutes. */
export function signRequest(key: string, request: SignedRequest, date: Date): Record<string, string> {
  const expires = String(Math.ceil((date.getTime() + validMs) / 1000));
  return {
    [bodyHeader]: request.body,
    [expiresHeader]: expires,
    [signatureHeader]: signature(key, request, expires),
  };
}

export interface PresentedSignature {
  readonly expires: string | undefined;
  readonly signature: string | undefined;
}

/**
 * Checks a signature against several keys, any of which is enough. "expired": the key is right, but the time is not.
 */
export function checkSignature(
  keys: readonly string[],
  request: SignedRequest,
  presented: PresentedSignature,
  date: Date,
): "ok" | "missing" | "wrong" | "expired" {
  if (presented.expires === undefined || presented.signature === undefined) return "missing";
  if (!/^\d{1,12}$/.test(presented.expires) || !/^[0-9a-f]{64}$/.test(request.body)) return "wrong";
  const given = digestOf(presented.signature);
  let isRight = false;
  for (const key of keys) if (sameDigest(digestOf(signature(key, request, presented.expires)), given)) isRight = true;
  if (!isRight) return "wrong";
  const leftMs = Number(presented.expires) * 1000 - date.getTime();
  return leftMs < -skewMs || leftMs > validMs + skewMs + 1000 ? "expired" : "ok";
}

function signature(key: string, request: SignedRequest, expires: string): string {
  assert(/^[0-9a-f]{64}$/.test(key), "a job's key has 64 hexadecimal digits");
  const { method, path, query, address, body } = request;
  const text = `${method}\n${path}\n${query}\n${hostAndPort(address)}\n${body}\n${expires}`;
  return createHmac("sha256", Buffer.from(key, "hex")).update(text).digest("hex");
}

/** Host and port in one form, however the address is written: in lower case, and with the default port. */
function hostAndPort(address: string): string {
  const { protocol, hostname, port } = new URL(address);
  return `${hostname}:${port === "" ? (protocol === "https:" ? 443 : 80) : port}`;
}
