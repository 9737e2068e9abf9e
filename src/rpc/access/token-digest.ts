// Makes and compares tokens. A token is held in a `Secret`, which can't be printed by accident (S25).
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Secret } from "../../base/value/secret.ts";

export { Secret };

/** A new token: 256 random bits in base64url, 43 characters. */
export function randomToken(): Secret {
  return new Secret(randomBytes(32).toString("base64url"));
}

/** The SHA-256 of a token. Digests are compared instead of tokens, as all of them have one length. */
export function digestOf(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}

/** Compares two digests, in a time that does not depend on where they differ. */
export function sameDigest(a: Buffer, b: Buffer): boolean {
  return timingSafeEqual(a, b);
}
