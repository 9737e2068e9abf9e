// Where records end in csv that is quoted otherwise than RFC 4180 says. One pass over the bytes, with a state that says
// where in a record they are; it is carried from the beginning of a file, or from a record's beginning.
import { asBuffer } from "../../base/bytes/bytes.ts";
import type { Boundary } from "../blocks/boundary.ts";
import type { RecordRule } from "../lines/decoder.ts";
import type { Dialect } from "./dialect.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** No byte is equal to it. */
const none = -1;

/** The rule of records of a dialect that may hold line ends. */
export function dialectRule(dialect: Dialect): RecordRule {
  return {
    boundary: () => (dialect.multiline ? new DialectBoundary(dialect) : new LineBoundary()),
    escape: byteOf(dialect.escaper),
    multiline: dialect.multiline,
  };
}

/** As `findStarts` of csv, in a dialect. */
export async function findDialectStarts(
  dialect: Dialect,
  chunks: AsyncIterable<Uint8Array>,
  wanted: readonly number[],
  size: number,
): Promise<readonly number[]> {
  const starts: number[] = [];
  const startsAt = (offset: number) => {
    while (starts.length < wanted.length && wanted[starts.length]! <= offset) starts.push(offset);
    return starts.length === wanted.length;
  };
  if (startsAt(0)) return starts;
  const boundary = new DialectBoundary(dialect);
  let base = 0;
  for await (const bytes of chunks) {
    const chunk = asBuffer(bytes);
    for (let end = boundary.nextEnd(chunk, 0); end >= 0; end = boundary.nextEnd(chunk, end)) {
      if (startsAt(base + end)) return starts;
      boundary.restart();
    }
    base += chunk.length;
  }
  startsAt(size);
  while (starts.length < wanted.length) starts.push(size);
  return starts;
}

function byteOf(character: string | undefined): number {
  return character === undefined ? none : character.charCodeAt(0);
}

/** Each line feed ends a record. */
class LineBoundary implements Boundary {
  lastEnd(bytes: Buffer, from: number, to: number): number {
    const at = to > from ? bytes.lastIndexOf(lineFeed, to - 1) : -1;
    return at < from ? -1 : at + 1;
  }

  restart(): void {}

  nextEnd(bytes: Buffer, from: number): number {
    return bytes.indexOf(lineFeed, from) + 1 || -1;
  }
}

// Where quotes in wrong places are refused, a record that has one is refused as a whole. So it is enough to know
// whether the number of quotes is odd: `outside` and `inside`. Where such quotes are text, the place in the cell
// decides.
const outside = 0;
const inside = 1;
const escapedOutside = 2;
const escapedInside = 3;
const recordStart = 4;
/** Behind the first byte, and behind the first two, of a byte order mark that begins a record. */
const mark1 = 5;
const mark2 = 6;
const cellStart = 7;
const inCell = 8;
const inQuotes = 9;
/** Behind a quote in quotes: it closes them if a delimiter or a line end follows. */
const behindQuote = 10;
/** Behind such a quote and a carriage return. */
const behindReturn = 11;
const escapedInCell = 12;
const escapedInQuotes = 13;

class DialectBoundary implements Boundary {
  readonly #quote: number;
  readonly #escape: number;
  readonly #delimiter: number;
  readonly #first: number;
  /** By byte, 1 where it may change a state that lasts. */
  readonly #marks = new Uint8Array(256);
  #state: number;
  /** The state behind the bytes that `#scan` has passed. */
  #behind: number;

  constructor({ quote, escaper, delimiter, lenient }: Dialect) {
    this.#quote = byteOf(quote);
    this.#escape = byteOf(escaper);
    this.#delimiter = byteOf(delimiter);
    this.#first = lenient ? recordStart : outside;
    this.#state = this.#first;
    this.#behind = this.#first;
    const marks = [this.#quote, this.#escape, lineFeed];
    for (const byte of lenient ? [...marks, this.#delimiter] : marks) if (byte !== none) this.#marks[byte] = 1;
  }

  lastEnd(bytes: Buffer, from: number, to: number): number {
    let last = -1;
    for (let end = this.#scan(bytes, from, to, this.#first); end >= 0; end = this.#scan(bytes, end, to, this.#first))
      last = end;
    return last;
  }

  restart(): void {
    this.#state = this.#first;
  }

  nextEnd(bytes: Buffer, from: number): number {
    const end = this.#scan(bytes, from, bytes.length, this.#state);
    if (end < 0) this.#state = this.#behind;
    return end;
  }

  /** The first record end in bytes[from, to), in which a record is in this state at `from`; -1: none. */
  #scan(bytes: Buffer, from: number, to: number, first: number): number {
    const quote = this.#quote;
    const escaper = this.#escape;
    const delimiter = this.#delimiter;
    const marks = this.#marks;
    let state = first;
    for (let i = from; i < to; i++) {
      // Most bytes change nothing.
      if (state === outside || state === inside || state === inCell || state === inQuotes) {
        while (i < to && marks[bytes[i]!] === 0) i++;
        if (i === to) break;
      }
      const byte = bytes[i]!;
      switch (state) {
        case outside:
          if (byte === quote) state = inside;
          else if (byte === escaper) state = escapedOutside;
          else if (byte === lineFeed) return i + 1;
          break;
        case inside:
          if (byte === quote) state = outside;
          else if (byte === escaper) state = escapedInside;
          break;
        case escapedOutside:
          state = outside;
          break;
        case escapedInside:
          state = inside;
          break;
        case inQuotes:
          if (byte === quote) state = behindQuote;
          else if (byte === escaper) state = escapedInQuotes;
          break;
        case escapedInQuotes:
          state = inQuotes;
          break;
        case behindQuote:
        case behindReturn:
          if (byte === lineFeed) return i + 1;
          if (byte === escaper) state = escapedInQuotes;
          else if (byte === quote) state = state === behindQuote ? inQuotes : behindQuote;
          else if (state === behindQuote && byte === delimiter) state = cellStart;
          else state = state === behindQuote && byte === carriageReturn ? behindReturn : inQuotes;
          break;
        default:
          if (byte === lineFeed && state !== escapedInCell) return i + 1;
          state = outsideQuotes(state, byte, quote, escaper, delimiter);
      }
    }
    this.#behind = state;
    return -1;
  }
}

/** The state behind a byte that ends no record, where quotes are text but at the beginning of a cell. */
function outsideQuotes(state: number, byte: number, quote: number, escaper: number, delimiter: number): number {
  if (state === escapedInCell) return inCell;
  if (byte === delimiter) return cellStart;
  if (byte === escaper) return escapedInCell;
  if (byte === quote && (state === recordStart || state === cellStart)) return inQuotes;
  if (state === recordStart && byte === 0xef) return mark1;
  if (state === mark1 && byte === 0xbb) return mark2;
  return state === mark2 && byte === 0xbf ? recordStart : inCell;
}
