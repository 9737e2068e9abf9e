// The log of an attempt, with everything that it prints and logs: one capped file, so that a flood fills neither disk
// nor memory (fault 20).
import { closeSync, openSync, writeSync } from "node:fs";
import { limits, MiB } from "../../base/limits.ts";

/** Bytes per attempt. What comes after them is counted, not kept. */
const logBytesMax = 1 * MiB;

/** The part of a log that it shares with the other logs of its job. */
export interface LogShare {
  /** Bytes that they may still write together, which is counted down. */
  readonly left: { bytes: number };
  /** Creates the directory. Called before the file is created. */
  prepare(): void;
}

export class LogFile {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #share: LogShare | undefined;
  #fd: number | undefined;
  #bytes = 0;
  #dropped = 0;

  /** The file is created with the first byte, as most attempts print nothing. */
  constructor(path: string, bytesMax = logBytesMax, share?: LogShare) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#share = share;
  }

  /** Writes the bytes that fit. On a full disk the log is lost, never the attempt. */
  write(bytes: Uint8Array): void {
    const left = this.#share?.left;
    const taken = Math.min(bytes.length, this.#bytesMax - this.#bytes, left?.bytes ?? Number.POSITIVE_INFINITY);
    this.#dropped += bytes.length - taken;
    if (taken > 0) {
      this.#append(bytes.subarray(0, taken));
      this.#bytes += taken;
      if (left !== undefined) left.bytes -= taken;
    }
  }

  /** Notes how much was dropped, and closes the file. May be called again. */
  close(): void {
    if (this.#dropped > 0) this.#append(Buffer.from(`\n[truncated: ${this.#dropped} more bytes were dropped]\n`));
    this.#letGo();
  }

  /** An error of the disk shows here too, and loses no more than the log. */
  #letGo(): void {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd === undefined || fd < 0) return;
    try {
      closeSync(fd);
    } catch {
      // the descriptor is free all the same
    }
  }

  #append(bytes: Uint8Array): void {
    if (this.#fd === -1) return;
    try {
      if (this.#fd === undefined) this.#share?.prepare();
      this.#fd ??= openSync(this.#path, "a", 0o600);
      writeSync(this.#fd, bytes);
    } catch {
      this.#letGo(); // no space, or no directory any more
    }
  }
}

/** A line of `ctx.log`, cut to what a line may have. */
export function logLine(at: Date, message: string, fields: string): Buffer {
  const text = `${at.toISOString()} ${message}${fields === "" ? "" : ` ${fields}`}`;
  const bytes = Buffer.from(text);
  const cut =
    bytes.length > limits.logLineBytesMax
      ? Buffer.concat([bytes.subarray(0, limits.logLineBytesMax), Buffer.from(" [truncated]")])
      : bytes;
  return Buffer.concat([cut, Buffer.from("\n")]);
}
