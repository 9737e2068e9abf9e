// Numbers in whole JSON records that JavaScript's numbers can't hold: integers beyond 2^53 that would come out with
// other digits, and numbers that are too large. `JSON.parse` rounds them silently.
import { assert } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { setField } from "./field.ts";
import { parseJson } from "./line.ts";

/**
 * What happens to integers beyond 2^53: they are refused where a number would change them, rounded, or read as bigints.
 */
export type Integers = "refuse" | "round" | "bigint";

const exactMax = 2 ** 53;
/** Values nested deeper are not checked one by one; their text is checked instead. */
const depthMax = 200;
const number = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;

/** Reads what `JSON.parse` makes of a text, except for such numbers. Throws `bad-input`. */
export function parseWhole(text: string, integers: Integers): unknown {
  const value = parseJson(text);
  if (!mayHaveChanged(value)) return value;
  let hasBigints = false;
  for (const token of numbersOf(text)) if (typeof wholeNumber(token, integers) === "bigint") hasBigints = true;
  return hasBigints ? new BigintParser(text).parse() : value;
}

/**
 * Whether the value contains a number that may be inexact. This is cheaper than looking at the text, which was just
 * parsed.
 */
export function mayHaveChanged(value: unknown, depth = 0): boolean {
  if (typeof value === "number") return !isExact(value);
  if (typeof value !== "object" || value === null) return false;
  if (depth === depthMax) return true;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const part: unknown = value[i];
      if (typeof part !== "string" && mayHaveChanged(part, depth + 1)) return true;
    }
    return false;
  }
  for (const name in value) {
    const part = (value as Record<string, unknown>)[name];
    if (typeof part !== "string" && mayHaveChanged(part, depth + 1)) return true;
  }
  return false;
}

function isExact(value: number): boolean {
  return value > -exactMax && value < exactMax;
}

/** The value of a JSON number. Throws `bad-input` for a number that can't be represented. */
export function wholeNumber(text: string, integers: Integers): number | bigint {
  const value = Number(text);
  if (isExact(value)) return value;
  if (!Number.isFinite(value)) {
    throw new MillraceError("bad-input", `${shown(text)} is too large for a number: it must be a string`);
  }
  if (/[.eE]/.test(text) || integers === "round") return value;
  if (integers === "bigint") return BigInt(text);
  if (isSame(text, value)) return value;
  throw new MillraceError(
    "bad-input",
    `${shown(text)} is an integer beyond 2^53 and would become ${value}: read it by ndjson({ integers: "bigint" }) as a bigint, or by ndjson({ integers: "round" }) as that number`,
  );
}

/** Whether the number is written with the digits that it was read from, or stands for the same ones. */
function isSame(digits: string, value: number): boolean {
  const [, sign, first, others = "", exponent] = /^(-?)(\d)(?:\.(\d+))?e\+(\d+)$/.exec(String(value)) ?? [];
  if (exponent === undefined) return String(value) === digits;
  return `${sign}${first}${others.padEnd(Number(exponent), "0")}` === digits;
}

function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** The numbers of a JSON text, without those inside strings. */
function* numbersOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) at = behindString(text, at);
    else if (isNumberStart(unit)) {
      const token = numberAt(text, at);
      yield token;
      at += token.length;
    } else at++;
  }
}

/**
 * The numbers of a JSON object by their names, as they are written. Of a name that occurs twice the last one counts.
 */
export function numberTexts(json: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  let depth = 0;
  let name: string | undefined;
  for (let at = 0; at < json.length; ) {
    const unit = json[at]!;
    if (unit === '"') {
      const end = behindString(json, at);
      if (depth === 1) name ??= JSON.parse(json.slice(at, end)) as string;
      at = end;
      continue;
    }
    if (isNumberStart(json.charCodeAt(at))) {
      const token = numberAt(json, at);
      if (depth === 1) texts.set(name!, token);
      at += token.length;
      continue;
    }
    if (unit === "{" || unit === "[") depth++;
    else if (unit === "}" || unit === "]") depth--;
    else if (unit === "," && depth === 1) name = undefined;
    at++;
  }
  return texts;
}

function isNumberStart(unit: number): boolean {
  return unit === 0x2d || (unit >= 0x30 && unit <= 0x39);
}

function numberAt(text: string, at: number): string {
  number.lastIndex = at;
  const found = number.exec(text);
  assert(found !== null, "no number begins where one should");
  return found[0];
}

/** The index behind the string whose opening quote is at `start`, in JSON. */
function behindString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
}

/** An array or object that has begun, and the name of the field that is read. */
interface Open {
  readonly value: unknown[] | Record<string, unknown>;
  name: string | undefined;
}

/**
 * Parses text that is known to be JSON, with bigints where numbers may be inexact. Like `JSON.parse` it takes what is
 * nested as deep as one likes, so it does not call itself.
 */
class BigintParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): unknown {
    const open: Open[] = [];
    for (;;) {
      const unit = this.#next();
      const outer = open.at(-1);
      if (unit === "[" || unit === "{") {
        open.push({ value: unit === "[" ? [] : {}, name: undefined });
        this.#at++;
        continue;
      }
      if (unit === ",") {
        this.#at++;
        continue;
      }
      if (unit === '"' && outer !== undefined && !Array.isArray(outer.value) && outer.name === undefined) {
        outer.name = this.#string();
        this.#next();
        this.#at++; // the colon
        continue;
      }
      let value: unknown;
      if (unit === "]" || unit === "}") {
        value = open.pop()!.value;
        this.#at++;
      } else value = this.#plain(unit);
      const inner = open.at(-1);
      if (inner === undefined) return value;
      if (Array.isArray(inner.value)) inner.value.push(value);
      else setField(inner.value, inner.name!, value);
      inner.name = undefined;
    }
  }

  /** What is no array and no object. */
  #plain(unit: string | undefined): unknown {
    if (unit === '"') return this.#string();
    if (isNumberStart(this.#text.charCodeAt(this.#at))) {
      const token = numberAt(this.#text, this.#at);
      this.#at += token.length;
      return wholeNumber(token, "bigint");
    }
    const word = unit === "t" ? "true" : unit === "f" ? "false" : "null";
    this.#at += word.length;
    return JSON.parse(word);
  }

  #string(): string {
    const start = this.#at;
    this.#at = behindString(this.#text, start);
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** The next character that is not a blank. */
  #next(): string | undefined {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
    return this.#text[this.#at];
  }
}
