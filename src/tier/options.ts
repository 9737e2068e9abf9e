// Where a tier may lie, and how much of it may be memory.
import type { TierFiles } from "./files.ts";

export interface TierOptions {
  /**
   * A directory of a tmpfs; undefined where there is none. Both directories exist already and belong to this job alone.
   */
  readonly memoryDirectory: string | undefined;
  /** Bytes that this process may hold in the memory directory. */
  readonly memoryBytesMax: number;
  /** How many of them are held already, by files of an earlier process in this one's place. Default 0. */
  readonly memoryBytesHeld?: number;
  readonly diskDirectory: string;
  readonly fs?: TierFiles;
}
