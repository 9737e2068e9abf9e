// Reads values back from the text in which messages show them (`excerptOf`, that is Node's `inspect`) or from JSON.

/**
 * The value of a text such as `"a"`, `404`, `[ 'a', 1 ]`, `{ host: 'a', at: 2024-01-01T00:00:00.000Z }` or JSON;
 * undefined where the text is cut, or shows something else.
 */
export function valueOfShown(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return new ShownText(text).all();
  }
}

class WrongText extends Error {}

/** Deeper values are not shown whole. */
const depthMax = 64;
const isoDate = /[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/y;
const number = /-?(?:\d+(?:\.\d+)?(?:e[+-]\d+)?|Infinity)(?![\w.])|NaN(?!\w)/y;
const bigint = /(-?\d+)n(?!\w)/y;
const word = /(?:true|false|null|undefined)(?!\w)/y;
const name = /[A-Za-z_$][\w$]*/y;
const space = /\s*/y;

class ShownText {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  all(): { readonly value: unknown } | undefined {
    try {
      const value = this.#value(0);
      this.#match(space);
      return this.#at === this.#text.length ? { value } : undefined;
    } catch (thrown) {
      if (thrown instanceof WrongText) return undefined;
      throw thrown;
    }
  }

  #value(depth: number): unknown {
    if (depth > depthMax) throw new WrongText();
    this.#match(space);
    const first = this.#text[this.#at];
    if (first === "[") return this.#list("]", () => this.#value(depth + 1));
    if (first === "{") return Object.fromEntries(this.#list("}", () => this.#property(depth + 1)));
    if (first === "'" || first === '"' || first === "`") return this.#string(first);
    const date = this.#match(isoDate);
    if (date !== undefined) return new Date(date);
    const whole = this.#match(bigint);
    if (whole !== undefined) return BigInt(whole.slice(0, -1));
    const digits = this.#match(number);
    if (digits !== undefined) return Number(digits);
    switch (this.#match(word)) {
      case "true":
        return true;
      case "false":
        return false;
      case "null":
        return null;
      case "undefined":
        return undefined;
      default:
        throw new WrongText();
    }
  }

  #property(depth: number): [string, unknown] {
    this.#match(space);
    const first = this.#text[this.#at];
    const key = first === "'" || first === '"' ? this.#string(first) : this.#match(name);
    this.#match(space);
    if (key === undefined || this.#text[this.#at] !== ":") throw new WrongText();
    this.#at++;
    return [key, this.#value(depth)];
  }

  #list<T>(end: string, element: () => T): T[] {
    const list: T[] = [];
    this.#at++;
    for (this.#match(space); this.#text[this.#at] !== end; this.#match(space)) {
      if (list.length > 0) {
        if (this.#text[this.#at] !== ",") throw new WrongText();
        this.#at++;
        this.#match(space);
        if (this.#text[this.#at] === end) break;
      }
      list.push(element());
    }
    this.#at++;
    return list;
  }

  /** With the escapes that `inspect` and JSON write. */
  #string(quote: string): string {
    let value = "";
    for (this.#at++; ; this.#at++) {
      const char = this.#text[this.#at];
      if (char === undefined) throw new WrongText();
      if (char === quote) break;
      value += char === "\\" ? this.#escape() : char;
    }
    this.#at++;
    return value;
  }

  #escape(): string {
    const char = this.#text[++this.#at];
    if (char === undefined) throw new WrongText();
    const digits = char === "x" ? 2 : char === "u" ? 4 : 0;
    if (digits === 0) return escapes[char] ?? char;
    const code = this.#text.slice(this.#at + 1, this.#at + 1 + digits);
    if (code.length < digits || /[^0-9a-f]/i.test(code)) throw new WrongText();
    this.#at += digits;
    return String.fromCharCode(Number.parseInt(code, 16));
  }

  /** The text that the pattern has here, behind which reading goes on. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", v: "\v", "0": "\0" };
