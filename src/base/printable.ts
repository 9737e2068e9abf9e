// What may reach a terminal.
import { limits } from "./limits.ts";

/**
 * Matches control characters, characters that change the direction of text, and Unicode's line and paragraph
 * separators.
 */
export const unprintable = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** Whether a text that comes from elsewhere can be a key's excerpt (`keyExcerptOf`). */
export function isKeyExcerpt(text: string): boolean {
  return text.isWellFormed() && Buffer.byteLength(text) <= limits.keyExcerptBytes && text.search(unprintable) < 0;
}
