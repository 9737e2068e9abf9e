// Sends a response's body to a client that may be slow, in bounded memory.
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Clock } from "../base/system/clock.ts";

/**
 * Writes a response's body in pieces of one buffer: while one buffer is on its way, the next is filled. It holds two
 * buffers, however slowly the client reads; a client that takes no buffer for `stallMs` (at most twice that) is dropped
 * (fault 54). All methods reject once the connection is gone.
 */
export class BodyWriter {
  readonly #response: ServerResponse | Http2ServerResponse;
  readonly #write: (bytes: Buffer, done: (error?: Error | null) => void) => boolean;
  #filling: Buffer;
  #spare: Buffer;
  #filled = 0;
  #sending: Promise<void> = Promise.resolve();
  /** Rejects the send that is on its way. */
  #fail: ((error: Error) => void) | undefined;
  #sends = 0;

  constructor(
    response: ServerResponse | Http2ServerResponse,
    options: { readonly clock: Clock; readonly stallMs: number; readonly bufferBytes: number },
  ) {
    this.#response = response;
    this.#write = response.write.bind(response);
    this.#filling = Buffer.allocUnsafeSlow(options.bufferBytes);
    this.#spare = Buffer.allocUnsafeSlow(options.bufferBytes);
    const over = new AbortController();
    response.once("close", () => {
      over.abort();
      this.#fail?.(gone());
    });
    void this.#watch(options.clock, options.stallMs, over.signal);
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { buffer, start, end } = await this.room(1);
      const length = Math.min(bytes.length - at, end - start);
      buffer.set(bytes.subarray(at, at + length), start);
      this.add(length);
      at += length;
    }
  }

  /**
   * Returns room for at least `wanted` bytes, or a whole buffer; call `add` with the number of bytes that were put
   * there.
   */
  async room(wanted: number): Promise<{ readonly buffer: Buffer; readonly start: number; readonly end: number }> {
    const { length } = this.#filling;
    if (this.#filled > 0 && length - this.#filled < Math.min(wanted, length)) await this.#flush();
    return { buffer: this.#filling, start: this.#filled, end: length };
  }

  add(length: number): void {
    this.#filled += length;
  }

  /** Sends the rest, and ends the body. Resolves when everything is on its way. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#sending;
    this.#response.end();
  }

  async #flush(): Promise<void> {
    if (this.#filled === 0) return;
    await this.#sending;
    const full = this.#filling;
    this.#sending = this.#send(full.subarray(0, this.#filled));
    this.#sending.catch(() => {}); // the next send rejects for the same reason
    this.#filling = this.#spare;
    this.#spare = full;
    this.#filled = 0;
  }

  #send(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#response.destroyed) return reject(gone());
      this.#fail = reject;
      this.#write(bytes, (error) => {
        this.#fail = undefined;
        this.#sends++;
        if (error) reject(error);
        else resolve();
      });
    });
  }

  async #watch(clock: Clock, stallMs: number, over: AbortSignal): Promise<void> {
    for (let before = -1; !over.aborted; ) {
      const isSending = this.#fail !== undefined;
      if (isSending && this.#sends === before) this.#response.destroy();
      before = isSending ? this.#sends : -1;
      await clock.sleep(stallMs, over);
    }
  }
}

function gone(): Error {
  return new Error("the connection is gone");
}
