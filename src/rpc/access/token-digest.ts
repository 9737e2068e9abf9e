// Tokens: how they are made and compared. What holds one is a `Secret`, which can't be printed by accident (S25).
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Secret } from "../../base/value/secret.ts";

export { Secret };

/** 256 bits in base64url: 43 characters. */
export function randomToken(): Secret {
  return new Secret(randomBytes(32).toString("base64url"));
}

/** What is kept of a token to compare with: its SHA-256, so that all have one length. */
export function digestOf(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}

/** Takes the same time wherever the two differ. Both are digests. */
export function sameDigest(a: Buffer, b: Buffer): boolean {
  return timingSafeEqual(a, b);
}
