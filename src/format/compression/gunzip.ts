// gzip as a stream, by node:zlib, which inflates in another thread and reads members that follow one another. This file
// checks what node:zlib lets pass: it ignores everything behind zero bytes that pad a file's end, even another member.
import { createGunzip, type Gunzip } from "node:zlib";
import { MillraceError, systemCode } from "../../base/error.ts";
import { KiB } from "../../base/limits.ts";
import { formatCount } from "../../base/units.ts";

/** The content of all members. Throws `bad-input` when the data is damaged, cut short or followed by something else. */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = createGunzip({ chunkSize: 256 * KiB });
  // The loop below gets errors only while it waits: since Node 22 an error that comes between two of its turns has no
  // listener.
  stream.on("error", () => {});
  const feeder = new Feeder(stream, chunks);
  const fed = feeder.run();
  try {
    for await (const content of stream) yield content as Uint8Array;
    await fed;
    if (feeder.failure !== undefined) throw feeder.failure;
    if (feeder.lastNonZero > stream.bytesWritten) {
      throw damaged("data that is not gzip follows zero bytes", stream.bytesWritten);
    }
  } catch (thrown) {
    if (feeder.failure !== undefined) throw feeder.failure;
    const code = systemCode(thrown);
    if (code === "Z_BUF_ERROR") throw damaged("the file ends too early", feeder.received);
    if (code?.startsWith("Z_") !== true) throw thrown;
    throw damaged((thrown as Error).message, stream.bytesWritten);
  } finally {
    stream.destroy();
    await fed;
  }
}

function damaged(problem: string, offset: number): MillraceError {
  return new MillraceError(
    "bad-input",
    `the gzip data is damaged: ${problem}, at or behind compressed byte ${formatCount(offset)}`,
  );
}

/** Writes one chunk after the other, each only when the one before it has been used up. */
class Feeder {
  readonly #stream: Gunzip;
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly #closed: Promise<void>;
  #isEnded = false;
  #received = 0;
  #lastNonZero = 0;
  #failure: unknown;

  constructor(stream: Gunzip, chunks: AsyncIterable<Uint8Array>) {
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
