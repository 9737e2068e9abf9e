// A token or key that can't be printed by accident (S25): whatever turns it into text gets "***".
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** For the one place that sends, stores or derives from it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "***";
  }
}

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
