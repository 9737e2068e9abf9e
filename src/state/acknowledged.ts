// How many batches of a store were acknowledged, in a file of its own beside LevelDB's: a store that has fewer has lost some.
// Overwritten in place after each batch and not synced: it survives the death of the process, and after a power cut it says
// too little, never too much, because what it counts was synced before.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32Of } from "../base/bytes/checksum.ts";
import { systemCode } from "../base/error.ts";

/** No name that LevelDB would take for one of its own. */
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
    // Damaged or missing, it says nothing: then the store's own checks are all there is.
    const isWhole = read === 12 && this.#bytes.readUInt32LE(8) === crc32Of(this.#bytes.subarray(0, 8));
    this.atOpen = isWhole ? Number(this.#bytes.readBigUInt64LE(0)) : 0;
  }

  /** Says less than it could on a disk that is full and writes nothing in place; whatever else fails, fails for LevelDB too. */
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
