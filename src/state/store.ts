// The interface of a master's state store. LevelDB and memory implement it, and both pass test/conformance/store.ts.

/**
 * A durable, ordered key-value store with one writer at a time. The master's process opens it, and closes it at its
 * end.
 */
export interface StateStore {
  /**
   * Becomes the only writer, with an epoch larger than any before it. Called by a master when it starts. A later call
   * ends the leadership before it.
   */
  lead(owner: string, signal: AbortSignal): Promise<Leadership>;
  /**
   * All records under a prefix, in the order of the keys' UTF-8 bytes. Sees every commit that was acknowledged before
   * the call.
   */
  scan(prefix: string): AsyncIterable<StoredRecord>;
  /** Closes the store. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/** The right to write, held by the loop of one master. */
export interface Leadership {
  /** The number of this leadership: larger than that of any before it. */
  readonly epoch: number;
  /** Aborted the moment leadership is lost, or may be lost. */
  readonly lost: AbortSignal;
  /**
   * Applies changes in order; they are durable when it resolves. Rejects with `not-leader` once a later epoch exists. A
   * crash may keep only a prefix of the changes, so every prefix must be a valid state.
   */
  commit(changes: readonly Change[]): Promise<void>;
  /** Gives up leadership. Called once, when the master's loop ends; further commits reject. */
  resign(): Promise<void>;
}

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

export type Change = { readonly put: StoredRecord } | { readonly delete: string };
