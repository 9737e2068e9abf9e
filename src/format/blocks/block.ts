// Blocks of whole records, in which delimited files are read. reader.ts cuts them, and says why they have 64 KiB.
import { KiB } from "../../base/limits.ts";

/** Whole records, one after the other. The bytes are valid until the next block is asked for. */
export interface Block {
  readonly bytes: Buffer;
  /** The first record's offset in the file. */
  readonly base: number;
}

export const blockBytes: number = 64 * KiB;
