// Keeps the number of batches that a store has acknowledged in a file beside LevelDB's: a store with fewer batches has
// lost some. The file is overwritten in place after each batch and not synced. It survives the death of the process,
// and after a power cut it says too little, never too much, because the batches that it counts were synced before.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32Of } from "../base/bytes/checksum.ts";
import { systemCode } from "../base/error.ts";

/** A name that LevelDB does not take for one of its own files. */
const fileName = "acknowledged";

export class Acknowledged {
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(12);
  readonly atOpen: number;

  constructor(directory: string) {
    this.#fd = openSync(join(directory, fileName), "a+", 0o600);
    closeSync(this.#fd); // it exists now; appending would not overwrite
    this.#fd = openSync(join(directory, fileName), "r+");
    const read = readSync(this.#fd, this.#bytes, 0, 12, 0);
    // A damaged or missing file says nothing, and only the store's own checks are left.
    const isWhole = read === 12 && this.#bytes.readUInt32LE(8) === crc32Of(this.#bytes.subarray(0, 8));
    this.atOpen = isWhole ? Number(this.#bytes.readBigUInt64LE(0)) : 0;
  }

  /**
   * On a full disk the file stays as it is, and says less than it could. Any other error is thrown: it would fail
   * LevelDB too.
   */
  write(batches: number): void {
    this.#bytes.writeBigUInt64LE(BigInt(batches), 0);
    this.#bytes.writeUInt32LE(crc32Of(this.#bytes.subarray(0, 8)), 8);
    try {
      writeSync(this.#fd, this.#bytes, 0, 12, 0);
    } catch (error) {
      const code = systemCode(error);
      if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
