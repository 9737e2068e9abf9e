// What an attempt has done so far, from where another attempt at its task can go on: after a crash, a time-out or a
// revocation of its slot, or a restart of its worker (docs/checkpoints.md). No result depends on it: without one, or
// with a damaged one, the task begins at its beginning.
import type { Counters, Position } from "../base/ids.ts";
import type { SavedPart } from "../output/part-writer.ts";
import type { RunRef } from "../sort/run.ts";

/** A checkpoint of an attempt at a map task, made at a flush at a record boundary. */
export interface MapCheckpoint {
  readonly kind: "map";
  /** Where to read on: all records before it are in what follows, and none behind it is. */
  readonly position: Position;
  /** In the order of emission. Their files are the attempt's own: no one else removes or changes them. */
  readonly runs: readonly RunRef[];
  /** What was written of each output. */
  readonly outputs: readonly SavedPart[];
  readonly emissions: number;
  readonly emissionDigest: bigint;
  /** Without what `setup` counts, which runs again. */
  readonly counters: Counters;
  /** Records that were given to map or put aside. */
  readonly records: number;
  /** Bytes of the input that the status page shows as read. */
  readonly bytes: number;
  readonly spills: number;
  readonly memoryRunBytes: number;
  readonly diskRunBytes: number;
  /** Whether a call returned something that it may have meant to emit. */
  readonly valuesReturned: boolean;
  /** The time that all attempts so far had spent on it. */
  readonly spentMs: number;
}

/** How far a reduce attempt has come in the pairs of its partition. */
export interface ReducePosition {
  /** Keys, or groups of keys, that have begun. Where the job has a reduce, all of them are done. */
  readonly groups: number;
  /** Pairs that are done. */
  readonly pairs: number;
  /** The last of those keys, encoded. */
  readonly key: Uint8Array;
}

/** A checkpoint of an attempt at a reduce task, made between two keys; without a reduce, between two pairs. */
export interface ReduceCheckpoint extends ReducePosition {
  readonly kind: "reduce";
  /** A digest of all that the attempt merges: another has to merge the same. */
  readonly inputs: Uint8Array;
  /** What was written of each output. */
  readonly outputs: readonly SavedPart[];
  /** Without what `setup` counts, which runs again. */
  readonly counters: Counters;
  /** Whether a call returned something that it may have meant to emit. */
  readonly valuesReturned: boolean;
  /** The time that all attempts so far had spent on it. */
  readonly spentMs: number;
}

export type Checkpoint = MapCheckpoint | ReduceCheckpoint;

/** Says which of two checkpoints of the same work is further on. */
export function progressOf(checkpoint: Checkpoint): number {
  switch (checkpoint.kind) {
    case "map":
      return checkpoint.records;
    case "reduce":
      return checkpoint.pairs;
  }
}

/** The checkpoints of one task on this machine, for one attempt at it. */
export interface Checkpoints {
  /** The attempt makes one at most once in this time. */
  readonly intervalMs: number;
  /**
   * The checkpoint that is furthest on among the whole ones of earlier attempts at the same work. Its files are the
   * caller's own then. Undefined: there is none. Never throws. `beat` is called now and then, as large runs are read
   * through.
   */
  newest(beat: () => void): Checkpoint | undefined;
  /**
   * Makes the attempt's checkpoint this one, in one step and durably. Keeps the files of its runs and those in which
   * outputs are saved, whatever becomes of them where they lie now. Throws what the system says; the last checkpoint
   * stays then.
   */
  write(checkpoint: Checkpoint): void;
  /** Removes all checkpoints of the task: what they say can't be trusted. Never throws. */
  discard(): void;
}
