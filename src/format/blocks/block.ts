// What delimited files are read in: blocks of whole records. reader.ts cuts them; 64 KiB for the reason that it gives.
import { KiB } from "../../base/limits.ts";

/** Whole records, one after the other. The bytes are valid until the next block is asked for. */
export interface Block {
  readonly bytes: Buffer;
  /** Offset in the file of the first of them. */
  readonly base: number;
}

export const blockBytes = 64 * KiB;
