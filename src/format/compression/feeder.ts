// Feeds a stream of node:zlib, which decompresses in another thread.
import type { Transform } from "node:stream";

/** Writes one chunk after the other, each only when the one before it has been used up. */
export class Feeder {
  readonly #stream: Transform;
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly #closed: Promise<void>;
  #isEnded = false;
  #received = 0;
  #lastNonZero = 0;
  #failure: unknown;

  constructor(stream: Transform, chunks: AsyncIterable<Uint8Array>) {
    this.#stream = stream;
    this.#chunks = chunks;
    stream.once("end", () => {
      this.#isEnded = true;
    });
    this.#closed = new Promise((resolve) => stream.once("close", resolve));
  }

  /** Bytes read from the file. */
  get received(): number {
    return this.#received;
  }

  /** Offset behind the last byte that is not zero. */
  get lastNonZero(): number {
    return this.#lastNonZero;
  }

  /** Why the chunks could not be read. */
  get failure(): unknown {
    return this.#failure;
  }

  /**
   * Feeds the stream. Never rejects. Ends when the chunks end or fail, or when the stream is destroyed before its end.
   */
  async run(): Promise<void> {
    try {
      for await (const chunk of this.#chunks) {
        for (let i = chunk.length - 1; i >= 0; i--) {
          if (chunk[i] === 0) continue;
          this.#lastNonZero = this.#received + i + 1;
          break;
        }
        this.#received += chunk.length;
        if (!this.#isEnded) await this.#write(chunk);
        if (this.#stream.destroyed && !this.#isEnded) return;
      }
      if (!this.#stream.destroyed) this.#stream.end();
    } catch (thrown) {
      this.#failure = thrown;
      this.#stream.destroy();
    }
  }

  /** Resolves when the chunk is used up, and also when the stream closes, as its callback may then never be called. */
  #write(chunk: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve) => this.#stream.write(chunk, () => resolve()));
    return Promise.race([written, this.#closed]);
  }
}
