// Finds declared fields in a line of JSON without parsing the rest of it: JSON.parse makes every value of a record, of
// which a job often needs two. It takes one pass over the bytes, and leaves unusual lines (escaped names, any error) to
// JSON.parse.
//
// It works on bytes, because charCodeAt takes twice as long, and on a slice of a larger string four times. But it skips
// strings by `indexOf` in the same bytes as Latin-1 text. A line of nine names, 180 bytes, takes 210 ns; by bytes alone
// 300, by text alone 400.

/** What a field holds. */
export type JsonKind = "missing" | "string" | "number" | "boolean" | "null" | "other";

const blank = [0x20, 0x09, 0x0d] as const;
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const braceOpen = 0x7b;
const braceClose = 0x7d;
const bracketOpen = 0x5b;
const bracketClose = 0x5d;

/** How many names are remembered by their place in the line before: more than any record with a fixed layout has. */
const placesMax = 1000;

/** Keeps what it found until the next line. Offsets are indexes into the given bytes. */
export class JsonScanner {
  /** The kind of each field's value. */
  readonly kinds: JsonKind[];
  /** Where a string (with its quotes), number, true or false begins and ends. */
  readonly starts: number[];
  readonly ends: number[];
  /** For strings: whether the bytes between the quotes are known to be printable ASCII without escapes. */
  readonly plain: boolean[];
  readonly #names: readonly string[];
  /**
   * `"name":` in the order of the line before, which is mostly that of the next one, with the field of each; -1: not
   * declared.
   */
  readonly #lastNames: Uint8Array[] = [];
  readonly #lastFields: number[] = [];
  /** The index behind the last name and its colon. */
  #behindName = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.kinds = names.map(() => "missing");
    this.starts = names.map(() => 0);
    this.ends = names.map(() => 0);
    this.plain = names.map(() => false);
  }

  /**
   * Whether bytes[start, end), which are UTF-8, could be read here; otherwise JSON.parse has to read them. `text` is
   * all the bytes as Latin-1. When a name occurs twice the last one counts, as with JSON.parse. Of values of other
   * names it finds only the end.
   */
  scan(bytes: Buffer, text: string, start: number, end: number): boolean {
    for (let i = 0; i < this.kinds.length; i++) this.kinds[i] = "missing";
    let at = behindBlanks(bytes, start, end);
    if (bytes[at] !== braceOpen) return false;
    at = behindBlanks(bytes, at + 1, end);
    if (bytes[at] === braceClose) return behindBlanks(bytes, at + 1, end) === end;
    for (let place = 0; at < end; place++) {
      const field = this.#name(bytes, text, at, end, place);
      if (field === undefined) return false;
      at = behindBlanks(bytes, this.#behindName, end);
      let behind = behindShortString(bytes, at, end);
      const isPlain = behind > 0;
      if (!isPlain) behind = behindValue(bytes, text, at, end);
      if (field >= 0) {
        this.plain[field] = isPlain;
        this.kinds[field] = kindAt(bytes[at]!);
        this.starts[field] = at;
        this.ends[field] = behind;
      }
      if (behind < 0) return false;
      at = behindBlanks(bytes, behind, end);
      if (bytes[at] === braceClose) return behindBlanks(bytes, at + 1, end) === end;
      if (bytes[at] !== comma) return false;
      at = behindBlanks(bytes, at + 1, end);
    }
    return false;
  }

  /** Passes the name at `at` and its colon. Returns its field, -1 for none, undefined where it is not a plain name. */
  #name(bytes: Buffer, text: string, at: number, end: number, place: number): number | undefined {
    const last = this.#lastNames[place];
    if (last !== undefined) {
      let i = 0;
      while (i < last.length && bytes[at + i] === last[i]) i++;
      if (i === last.length) {
        this.#behindName = at + i;
        return this.#lastFields[place]!;
      }
    }
    if (bytes[at] !== quote) return undefined;
    const behind = behindString(bytes, text, at, end);
    const colonAt = behind < 0 ? -1 : behindBlanks(bytes, behind, end);
    if (colonAt < 0 || bytes[colonAt] !== colon) return undefined;
    const name = bytes.toString("utf8", at + 1, behind - 1);
    if (unusual.test(name)) return undefined;
    const field = this.#names.indexOf(name);
    if (place < placesMax) {
      this.#lastNames[place] = Uint8Array.from(bytes.subarray(at, colonAt + 1));
      this.#lastFields[place] = field;
    }
    this.#behindName = colonAt + 1;
    return field;
  }
}

function kindAt(first: number): JsonKind {
  switch (first) {
    case quote:
      return "string";
    case braceOpen:
    case bracketOpen:
      return "other";
    case 0x74:
    case 0x66:
      return "boolean";
    case 0x6e:
      return "null";
    default:
      return "number";
  }
}

function behindBlanks(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] === blank[0] || bytes[at] === blank[1] || bytes[at] === blank[2])) at++;
  return at;
}

/** The index behind the value at `at`; -1 where there is no value. */
function behindValue(bytes: Buffer, text: string, at: number, end: number): number {
  switch (bytes[at]) {
    case quote:
      return behindString(bytes, text, at, end);
    case braceOpen:
    case bracketOpen:
      return behindNested(bytes, text, at, end);
    case 0x74:
      return isWord(bytes, at, "true") ? at + 4 : -1;
    case 0x66:
      return isWord(bytes, at, "false") ? at + 5 : -1;
    case 0x6e:
      return isWord(bytes, at, "null") ? at + 4 : -1;
    default:
      return behindNumber(bytes, at, end);
  }
}

function isWord(bytes: Buffer, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/**
 * The index behind a string that begins at `start`, if it is printable ASCII and not long: looking at its characters
 * one by one takes less time than a call of `indexOf`. Otherwise -1.
 */
function behindShortString(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] !== quote) return -1;
  const limit = Math.min(end, start + 64);
  let at = start + 1;
  while (at < limit && plainBytes[bytes[at]!] === 1) at++;
  return bytes[at] === quote && at < limit ? at + 1 : -1;
}

/** By byte: 1 for printable ASCII that stands for itself in a string. */
const plainBytes = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte <= 0x7f && byte !== quote && byte !== backslash ? 1 : 0,
);

/** The index behind the string whose opening quote is at `start`; -1 where it does not end. */
function behindString(bytes: Buffer, text: string, start: number, end: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0 && at < end; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (bytes[at - 1 - slashes] === backslash) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return -1;
}

/** The index behind the object or array that begins at `start`; -1 where it does not end. */
function behindNested(bytes: Buffer, text: string, start: number, end: number): number {
  let depth = 0;
  for (let at = start; at < end; at++) {
    switch (bytes[at]) {
      case quote:
        at = behindString(bytes, text, at, end) - 1;
        if (at < 0) return -1;
        break;
      case braceOpen:
      case bracketOpen:
        depth++;
        break;
      case braceClose:
      case bracketClose:
        if (--depth === 0) return at + 1;
    }
  }
  return -1;
}

/** The index behind what may be a number; -1 where there is none. */
function behindNumber(bytes: Buffer, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x30 && byte <= 0x39) continue;
    // + - . E e
    if (byte !== 0x2b && byte !== 0x2d && byte !== 0x2e && byte !== 0x45 && byte !== 0x65) break;
  }
  return at === start ? -1 : at;
}

/** What JSON does not allow in a string as it is, or what stands for something else. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unusual = /[\\\x00-\x1f]/;

/** Whole numbers that `String` would write with the same text. */
const plainNumber = /^(?:0|[1-9]\d{0,14})$/;
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The text that `String` writes for a JSON number; undefined where it is none. */
export function numberText(text: string): string | undefined {
  if (plainNumber.test(text)) return text;
  return isNumber(text) ? String(Number(text)) : undefined;
}

export function isNumber(text: string): boolean {
  return jsonNumber.test(text);
}
