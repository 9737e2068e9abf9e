import { randomBytes } from "node:crypto";

/**
 * Returns 128 random bits as 32 hexadecimal digits. They never repeat, not even for two jobs started in the same
 * second.
 */
export function randomId(): string {
  return randomBytes(16).toString("hex");
}

/**
 * Returns a source of numbers 0 <= x < 1, which gives the same sequence for the same two 32-bit seeds (sfc32 by Chris
 * Doty-Humphrey, public domain, seeded with two words and mixed 12 rounds).
 */
export function seededRandom(seed: number, stream: number): () => number {
  let a = 0x9e3779b9;
  let b = seed | 0;
  let c = stream | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}
