// Finds declared fields in a line of JSON without parsing the rest of it: JSON.parse makes every value of a record, of which
// a job often needs two. Hops from name to name; what is unusual (escaped names, odd numbers, any error) is left to JSON.parse.

/** What a field holds, with its text: of strings unescaped, of numbers as `String` writes them. */
export type JsonKind = "missing" | "string" | "number" | "boolean" | "null" | "other";

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const braceOpen = 0x7b;
const braceClose = 0x7d;
const bracketOpen = 0x5b;
const bracketClose = 0x5d;

/** Keeps what it found until the next line. */
export class JsonScanner {
  readonly kinds: JsonKind[];
  readonly texts: string[];
  readonly #indexes: ReadonlyMap<string, number>;
  /** Names in the order of the line before, which is mostly that of the next one, with the field of each; -1: none. */
  readonly #lastNames: string[] = [];
  readonly #lastFields: number[] = [];
  #line = "";
  #at = 0;

  constructor(names: readonly string[]) {
    this.kinds = names.map(() => "missing");
    this.texts = names.map(() => "");
    this.#indexes = new Map(names.map((name, i) => [name, i]));
  }

  /**
   * Whether the line could be read here; otherwise it is JSON.parse's. Of a name that occurs twice the last one counts, as
   * with JSON.parse. Values of other names are passed over: that they end is all that is checked of them.
   */
  scan(line: string): boolean {
    this.#line = line;
    this.kinds.fill("missing");
    this.#at = this.#behindBlanks(0);
    if (line.charCodeAt(this.#at) !== braceOpen) return false;
    this.#at = this.#behindBlanks(this.#at + 1);
    if (line.charCodeAt(this.#at) === braceClose) return this.#isEnd();
    for (let place = 0; ; place++) {
      const field = this.#name(place);
      if (field === undefined) return false;
      this.#at = this.#behindBlanks(this.#at);
      if (line.charCodeAt(this.#at) !== colon) return false;
      this.#at = this.#behindBlanks(this.#at + 1);
      if (!this.#value(field)) return false;
      this.#at = this.#behindBlanks(this.#at);
      const next = line.charCodeAt(this.#at);
      if (next === braceClose) return this.#isEnd();
      if (next !== comma) return false;
      this.#at = this.#behindBlanks(this.#at + 1);
    }
  }

  #isEnd(): boolean {
    return this.#behindBlanks(this.#at + 1) === this.#line.length;
  }

  #behindBlanks(from: number): number {
    let at = from;
    for (;;) {
      const unit = this.#line.charCodeAt(at);
      if (unit !== 0x20 && unit !== 0x09 && unit !== 0x0d) return at;
      at++;
    }
  }

  /** Passes the name of a property. The field it is, -1: none, undefined: not a plain name. */
  #name(place: number): number | undefined {
    const line = this.#line;
    if (line.charCodeAt(this.#at) !== quote) return undefined;
    const start = this.#at + 1;
    const last = this.#lastNames[place];
    if (last !== undefined && line.startsWith(last, start) && line.charCodeAt(start + last.length) === quote) {
      this.#at = start + last.length + 1;
      return this.#lastFields[place]!;
    }
    const end = line.indexOf('"', start);
    const name = line.slice(start, end);
    if (end < 0 || unusual.test(name)) return undefined;
    const field = this.#indexes.get(name) ?? -1;
    if (place < 1000) {
      this.#lastNames[place] = name;
      this.#lastFields[place] = field;
    }
    this.#at = end + 1;
    return field;
  }

  /** Passes a value, and keeps it when it is of a field. */
  #value(field: number): boolean {
    const line = this.#line;
    const start = this.#at;
    switch (line.charCodeAt(start)) {
      case quote:
        this.#at = this.#behindString(start);
        return this.#at > 0 && (field < 0 || this.#string(field, start));
      case braceOpen:
      case bracketOpen:
        this.#at = this.#behindNested(start);
        return this.#at > 0 && (field < 0 || this.#keep(field, "other", ""));
      case 0x74:
        return this.#word(field, "true", "boolean");
      case 0x66:
        return this.#word(field, "false", "boolean");
      case 0x6e:
        return this.#word(field, "null", "null");
      default:
        return this.#number(field);
    }
  }

  #keep(field: number, kind: JsonKind, text: string): true {
    this.kinds[field] = kind;
    this.texts[field] = text;
    return true;
  }

  #word(field: number, word: string, kind: JsonKind): boolean {
    if (!this.#line.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return field < 0 || this.#keep(field, kind, word);
  }

  #string(field: number, start: number): boolean {
    const text = this.#line.slice(start + 1, this.#at - 1);
    if (!unusual.test(text)) return this.#keep(field, "string", text);
    try {
      return this.#keep(field, "string", JSON.parse(this.#line.slice(start, this.#at)) as string);
    } catch {
      return false; // JSON.parse of the whole line says what is wrong.
    }
  }

  /** Index behind the string that begins at `start`; 0: it does not end. */
  #behindString(start: number): number {
    const line = this.#line;
    for (let end = line.indexOf('"', start + 1); end > 0; end = line.indexOf('"', end + 1)) {
      let slashes = 0;
      while (line.charCodeAt(end - 1 - slashes) === backslash) slashes++;
      if (slashes % 2 === 0) return end + 1;
    }
    return 0;
  }

  /** Index behind the object or array that begins at `start`; 0: it does not end. */
  #behindNested(start: number): number {
    const line = this.#line;
    let depth = 0;
    for (let at = start; at < line.length; at++) {
      switch (line.charCodeAt(at)) {
        case quote:
          at = this.#behindString(at) - 1;
          if (at < 0) return 0;
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
    return 0;
  }

  #number(field: number): boolean {
    const line = this.#line;
    const start = this.#at;
    let at = start;
    let isPlain = true;
    for (; ; at++) {
      const unit = line.charCodeAt(at);
      if (unit >= 0x30 && unit <= 0x39) continue;
      // + - . E e
      if (unit !== 0x2b && unit !== 0x2d && unit !== 0x2e && unit !== 0x45 && unit !== 0x65) break;
      isPlain = false;
    }
    if (at === start) return false;
    this.#at = at;
    if (field < 0) return true;
    const text = line.slice(start, at);
    // No sign, no zero in front, exact as a number: the text that `String` would write.
    if (isPlain && text.length <= 15 && (text.charCodeAt(0) !== 0x30 || text.length === 1))
      return this.#keep(field, "number", text);
    return jsonNumber.test(text) && this.#keep(field, "number", String(Number(text)));
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what JSON does not allow in strings
const unusual = /[\\\x00-\x1f]/;
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
