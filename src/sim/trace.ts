// What happened, as lines: hashed, so that two runs of a seed can be compared, with the last ones kept for whoever
// looks.
const kept = 200;

export class Trace {
  readonly #last: string[] = [];
  #lines = 0;
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;

  note(now: number, what: string): void {
    const line = `${now.toFixed(1)} ${what}`;
    this.#last[this.#lines++ % kept] = line;
    let low = this.#low;
    let high = this.#high;
    for (let at = 0; at < line.length; at++) {
      const unit = line.charCodeAt(at);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ unit ^ (low >>> 15), 0x85ebca6b);
    }
    this.#low = low;
    this.#high = high;
  }

  /** 64 bits in hexadecimal. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** The newest last. */
  last(): string[] {
    const at = this.#lines % kept;
    return this.#lines <= kept ? this.#last.slice() : [...this.#last.slice(at), ...this.#last.slice(0, at)];
  }
}
