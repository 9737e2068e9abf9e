// Messages on a pipe: a u32 little-endian length, then that many bytes. Used only between the agent and its slots.
import { MillraceError } from "../base/error.ts";
import { MiB } from "../base/limits.ts";

/** A plan of a million splits is the largest message. A larger one means that something else wrote to the pipe. */
const frameBytesMax = 512 * MiB;
const headerBytes = 4;

/** Makes one buffer, so that a frame is one write. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + message.length);
  frame.writeUInt32LE(message.length, 0);
  frame.set(message, headerBytes);
  return frame;
}

/** Cuts the bytes that come out of a pipe into messages. */
export class FrameReader {
  readonly #take: (message: Uint8Array) => void;
  #parts: Buffer[] = [];
  #held = 0;
  /** Bytes that the next step needs: a header, or a header and its message. */
  #needed = headerBytes;

  constructor(take: (message: Uint8Array) => void) {
    this.#take = take;
  }

  /** Calls `take` for each message that is complete now. Throws `io-error` for a length that no message has. */
  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    while (this.#held >= this.#needed) {
      const held: Buffer = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      const length = held.readUInt32LE(0);
      if (length > frameBytesMax)
        throw new MillraceError("io-error", "something other than a message came through the slot's pipe");
      const end = headerBytes + length;
      this.#parts = [held];
      this.#needed = end;
      if (held.length < end) return;
      const rest = held.subarray(end);
      this.#parts = rest.length > 0 ? [rest] : [];
      this.#held = rest.length;
      this.#needed = headerBytes;
      this.#take(held.subarray(headerBytes, end));
    }
  }
}
