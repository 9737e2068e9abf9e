// Counts the line ends inside a record. A quote that is not closed, or a file whose lines end with a carriage return
// alone, makes one bad record of many rows, and each of them counts.

const lineFeed = 10;
const carriageReturn = 13;

/** Counts line ends (LF, CR LF, or CR alone) of bytes that come in pieces. */
export class LineEnds {
  #count = 0;
  #last = 0;

  add(bytes: Uint8Array): void {
    let last = this.#last;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (byte === carriageReturn || (byte === lineFeed && last !== carriageReturn)) this.#count++;
      last = byte;
    }
    this.#last = last;
  }

  /** The number of line ends, without the one that the bytes end with. */
  get inside(): number {
    const isEnded = this.#last === lineFeed || this.#last === carriageReturn;
    return isEnded ? this.#count - 1 : this.#count;
  }
}

/** The line ends inside bytes that are one record, without its own. */
export function lineEndsIn(bytes: Uint8Array): number {
  const ends = new LineEnds();
  ends.add(bytes);
  return ends.inside;
}
