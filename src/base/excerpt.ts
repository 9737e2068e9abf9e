import { inspect, types } from "node:util";
import { limits } from "./limits.ts";
import { unprintable } from "./printable.ts";

/**
 * The beginning of any value, for an error message: one line of at most `limits.excerptBytes` characters. Never throws,
 * whatever user code handed over (getters that throw, proxies), and never runs the user's code to make the text.
 */
export function excerptOf(value: unknown): string {
  let text: string;
  try {
    if (types.isPromise(value)) return aPromise;
    text = typeof value === "string" ? JSON.stringify(value.slice(0, limits.excerptBytes)) : shown(value);
  } catch {
    text = `a value that can't be shown (${typeof value})`;
  }
  return text.length > limits.excerptBytes ? `${text.slice(0, limits.excerptBytes - 1)}…` : text;
}

/** How messages show a promise where a value is needed. */
export const aPromise = "a promise (a missing await?)";

/**
 * A key as status pages, stored records and screens show it: at most `limits.keyExcerptBytes` bytes, with nothing in it
 * that could control a terminal.
 */
export function keyExcerptOf(key: unknown): string {
  const text = excerptOf(key)
    .toWellFormed()
    .replace(unprintable, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  if (Buffer.byteLength(text) <= limits.keyExcerptBytes) return text;
  let kept = "";
  let bytes = Buffer.byteLength("…");
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > limits.keyExcerptBytes) break;
    kept += character;
  }
  return `${kept}…`;
}

function shown(value: unknown): string {
  if (value instanceof Uint8Array) return bytesShown(value);
  return inspect(value, {
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
    customInspect: false,
    depth: 3,
    maxArrayLength: 20,
    maxStringLength: limits.excerptBytes,
    getters: false,
  }).replaceAll("\n", " ");
}

/** Shows text as text, and other bytes as hexadecimal digits. */
function bytesShown(value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, limits.excerptBytes));
  const text = bytes.toString("utf8");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const printable = !/[\u0000-\u0008\u000e-\u001f\ufffd]/.test(text);
  return printable ? JSON.stringify(text) : `0x${bytes.toString("hex", 0, 32)}${value.length > 32 ? "…" : ""}`;
}
