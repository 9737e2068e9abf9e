/** Short ASCII strings by their bytes; of two with the same place the later one stays. */
export class StringTable {
  readonly #strings: (string | undefined)[];

  /** `size`: a power of two. */
  constructor(size: number) {
    this.#strings = new Array<string | undefined>(size).fill(undefined);
  }

  /** The string of these bytes; undefined for long ones, and for bytes that are not ASCII. */
  take(bytes: Uint8Array, from: number, to: number): string | undefined {
    if (to - from > 64) return undefined;
    let hash = 0x811c9dc5; // FNV-1a
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      if (byte >= 128) return undefined;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    const place = (hash ^ (hash >>> 15)) & (this.#strings.length - 1);
    const known = this.#strings[place];
    if (known !== undefined && isEqual(known, bytes, from, to)) return known;
    const text = String.fromCharCode(...bytes.subarray(from, to));
    this.#strings[place] = text;
    return text;
  }
}

function isEqual(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let at = from; at < to; at++) if (text.charCodeAt(at - from) !== bytes[at]) return false;
  return true;
}
