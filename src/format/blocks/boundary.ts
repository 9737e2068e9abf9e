// Finds on bytes where records end: the only part of reading that differs between lines and csv with line ends in
// quotes.
import { asBuffer } from "../../base/bytes/bytes.ts";
import { hasOddQuotes, quote } from "./quotes.ts";

/** Finds record ends. Offsets are indexes into the given bytes; an end is the index behind the delimiter. */
export interface Boundary {
  /**
   * The last record end in bytes[from, to], where a record begins at `from`; -1 where there is none. Does not change
   * the state.
   */
  lastEnd(bytes: Buffer, from: number, to: number): number;
  /** Says that a record begins at the first byte of the next call of `nextEnd`. */
  restart(): void;
  /**
   * The first record end in bytes[from, …), which follow the bytes of earlier calls since `restart`; -1 where there is
   * none yet.
   */
  nextEnd(bytes: Buffer, from: number): number;
}

/** Records that end with a delimiter of one or more bytes, found as `indexOf` does: from the left, without overlaps. */
export function delimited(delimiter: Uint8Array): Boundary {
  const wanted = asBuffer(delimiter);
  return wanted.length === 1 ? new ByteBoundary(wanted[0]!) : new StringBoundary(wanted);
}

/** Lines in which a line feed behind an odd number of quotes is part of the record. */
export function quotedLines(): Boundary {
  return new QuotedBoundary();
}

/**
 * Whether an occurrence of the delimiter may overlap another one ("aa", "abab"). If so, everything before an occurrence
 * decides whether it is a delimiter, and record starts can't be found locally.
 */
export function overlapsItself(delimiter: Uint8Array): boolean {
  const bytes = asBuffer(delimiter);
  for (let length = 1; length < bytes.length; length++) {
    if (bytes.subarray(0, length).equals(bytes.subarray(bytes.length - length))) return true;
  }
  return false;
}

class ByteBoundary implements Boundary {
  readonly #byte: number;

  constructor(byte: number) {
    this.#byte = byte;
  }

  lastEnd(bytes: Buffer, from: number, to: number): number {
    const at = to > from ? bytes.lastIndexOf(this.#byte, to - 1) : -1;
    return at < from ? -1 : at + 1;
  }

  restart(): void {}

  nextEnd(bytes: Buffer, from: number): number {
    return bytes.indexOf(this.#byte, from) + 1 || -1;
  }
}

class StringBoundary implements Boundary {
  readonly #delimiter: Buffer;
  readonly #overlaps: boolean;
  /** The last bytes of this record, fewer than the delimiter has. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(delimiter: Buffer) {
    this.#delimiter = delimiter;
    this.#overlaps = overlapsItself(delimiter);
  }

  lastEnd(bytes: Buffer, from: number, to: number): number {
    const length = this.#delimiter.length;
    if (to - from < length) return -1;
    if (!this.#overlaps) {
      const at = bytes.lastIndexOf(this.#delimiter, to - length);
      return at < from ? -1 : at + length;
    }
    let end = -1;
    for (let at = bytes.indexOf(this.#delimiter, from); at >= 0 && at + length <= to; ) {
      end = at + length;
      at = bytes.indexOf(this.#delimiter, end);
    }
    return end;
  }

  restart(): void {
    this.#tail = Buffer.alloc(0);
  }

  nextEnd(bytes: Buffer, from: number): number {
    const before = this.#tail.length;
    const rest = this.#delimiter.length - 1;
    if (before > 0) {
      // These bytes are just long enough for an occurrence that begins in the tail and ends in the new bytes.
      const at = Buffer.concat([this.#tail, bytes.subarray(from, from + rest)]).indexOf(this.#delimiter);
      if (at >= 0) return from + at + this.#delimiter.length - before;
    }
    const at = bytes.indexOf(this.#delimiter, from);
    if (at >= 0) return at + this.#delimiter.length;
    this.#tail = Buffer.from(
      Buffer.concat([this.#tail, bytes.subarray(Math.max(from, bytes.length - rest))]).subarray(-rest),
    );
    return -1;
  }
}

const lineFeed = 0x0a;

class QuotedBoundary implements Boundary {
  #odd = false;

  lastEnd(bytes: Buffer, from: number, to: number): number {
    const first = bytes.indexOf(quote, from);
    if (first < 0 || first >= to) {
      const at = to > from ? bytes.lastIndexOf(lineFeed, to - 1) : -1;
      return at < from ? -1 : at + 1;
    }
    // It goes from the right, as the last end is near. The quotes that it passes tell how many are before each place.
    let odd = hasOddQuotes(bytes, first, to);
    for (let i = to - 1; i >= from; i--) {
      const byte = bytes[i];
      if (byte === quote) odd = !odd;
      else if (byte === lineFeed && !odd) return i + 1;
    }
    return -1;
  }

  restart(): void {
    this.#odd = false;
  }

  nextEnd(bytes: Buffer, from: number): number {
    let odd = this.#odd;
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes[i];
      if (byte === quote) odd = !odd;
      else if (byte === lineFeed && !odd) return i + 1;
    }
    this.#odd = odd;
    return -1;
  }
}
