import { inspect } from "node:util";
import { excerptOf } from "../../base/excerpt.ts";
import { printable } from "../screen/error-text.ts";

const charactersMax = 4_000;

/**
 * A value as text for people, on several lines where it is long. Never throws, and never calls the user's code for
 * text.
 */
export function readable(value: unknown, { oneLine = false }: { readonly oneLine?: boolean } = {}): string {
  if (value instanceof Uint8Array) return printable(excerptOf(value));
  let text: string;
  try {
    text =
      typeof value === "string"
        ? JSON.stringify(value)
        : inspect(value, {
            breakLength: oneLine ? Number.POSITIVE_INFINITY : 100,
            compact: oneLine ? true : 3,
            customInspect: false,
            depth: 8,
            getters: false,
            maxArrayLength: 200,
            maxStringLength: charactersMax,
          });
  } catch {
    text = excerptOf(value); // a proxy that throws
  }
  const shown = text.length > charactersMax ? `${text.slice(0, charactersMax)}… (${text.length} characters)` : text;
  return printable(shown);
}

/** The bytes that a format has written, for people: text without its last line end, other bytes in hexadecimal. */
export function readableBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, charactersMax)).toString("utf8");
  if (/[\0\ufffd]/.test(text)) return printable(excerptOf(bytes));
  return printable(text.replace(/\r?\n$/, "")) + (bytes.length > charactersMax ? `… (${bytes.length} bytes)` : "");
}
