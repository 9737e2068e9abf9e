// The key that a user has written down, as bytes: a text may stand for several keys, of which the input decides.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { valueOfShown } from "../../base/value/shown.ts";
import type { Codec, ColumnCodec } from "../../job/codec.ts";
import { bytes as bytesCodec } from "../../job/codecs/bytes.ts";
import { codecFacts, codecNames, codecParts } from "../../job/codecs/facts.ts";
import { utf8 } from "../../job/codecs/utf8.ts";

export interface WantedKey {
  /** The encoded keys that the text may stand for, the likeliest first. */
  readonly encoded: readonly Uint8Array[];
  /** How a message would show the key, where that is all that is known of it: the text is cut, or no value. */
  readonly shown: string | undefined;
}

/**
 * `text` is what a message shows of a key, or plain text for keys that are text, JSON for others: `ann`, `404`,
 * `["ann",404]`, `{"host":"ann"}`.
 */
export function wantedKey(text: string, codec: Codec<unknown>): WantedKey {
  const encoded: Uint8Array[] = [];
  for (const value of valuesOf(text, codec)) {
    const bytes = encodedBy(codec, value);
    if (bytes !== undefined && !encoded.some((other) => Buffer.compare(other, bytes) === 0)) encoded.push(bytes);
  }
  const isRead = valueOfShown(text) !== undefined || codecFacts(codec)?.gives !== undefined;
  return { encoded, shown: isRead && encoded.length > 0 && !text.endsWith("…") ? undefined : text };
}

/** Whether a message shows the key so. */
export function isShownAs(key: unknown, text: string): boolean {
  return excerptOf(key) === text;
}

function* valuesOf(text: string, codec: Codec<unknown>): Generator<unknown> {
  const shown = valueOfShown(text);
  // Keys that are text are written without quotes; those of other codecs that take text have them where they would be
  // taken for something else.
  const isText = codec === (utf8 as Codec<unknown>) || codec === (bytesCodec as Codec<unknown>);
  if (isText) yield* [text, Buffer.from(text)];
  if (shown !== undefined) {
    yield fitted(codec, shown.value);
    if (typeof shown.value === "string") yield Buffer.from(shown.value);
  }
  yield fitted(codec, text);
  if (/^0x(?:[0-9a-f]{2})*$/i.test(text)) yield Buffer.from(text.slice(2), "hex");
}

/** The value as the codec takes it: texts parsed where only their values fit, objects and arrays part by part. */
function fitted(codec: Codec<unknown>, value: unknown): unknown {
  const parts = codecParts(codec);
  if (parts !== undefined) {
    const names = codecNames(codec);
    const given = partsOf(value, names, parts.length);
    if (given === undefined) return value;
    const values = parts.map((part, i) => fitted(part, given[i]));
    return names === undefined ? values : Object.fromEntries(names.map((name, i) => [name, values[i]]));
  }
  if (typeof value !== "string" || encodedBy(codec, value) !== undefined) return value;
  const others = [
    () => (codec as Partial<ColumnCodec<unknown>>).parse?.(value),
    () => (/^[+-]?\d{4,6}-\d\d-\d\d/.test(value) ? new Date(value) : undefined),
    () => (/^-?\d+$/.test(value) ? BigInt(value) : undefined),
  ];
  for (const make of others) {
    try {
      const other = make();
      if (encodedBy(codec, other) !== undefined) return other;
    } catch {
      // It is no text of such a value.
    }
  }
  return value;
}

/** The parts of an object by their names, or of an array; a single part may stand for itself. */
function partsOf(value: unknown, names: readonly string[] | undefined, count: number): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value.length === count ? value : undefined;
  const isObject = typeof value === "object" && value !== null;
  if (isObject && names?.every((name) => Object.hasOwn(value, name)))
    return names.map((name) => (value as Readonly<Record<string, unknown>>)[name]);
  return count === 1 && !isObject ? [value] : undefined;
}

/** Undefined: the codec, which may be the user's, refuses the value. */
function encodedBy(codec: Codec<unknown>, value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  const buffer = new ByteBuffer();
  try {
    codec.write(value, buffer);
    return buffer.copy();
  } catch {
    return undefined;
  }
}
