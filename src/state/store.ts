// The interface of a master's state store. LevelDB, etcd and memory implement it, and pass test/conformance/store.ts.

/**
 * A durable, ordered key-value store with one writer at a time. The master's process opens it, and closes it at its
 * end. Several processes may have a store open that is no directory: each by a `StateStore` of its own, and one of them
 * leads.
 */
export interface StateStore {
  /**
   * Becomes the only writer, with an epoch larger than any before it. `owner` is what others are to know of the leader:
   * the address it answers at. Waits while another `StateStore` on the same storage leads, until that one has resigned,
   * was closed or has let its lease end; a later call on the same `StateStore` ends the leadership before it at once.
   * Rejects with the signal's reason once that is aborted.
   */
  lead(owner: string, signal: AbortSignal): Promise<Leadership>;
  /** The leader, as far as the store knows. Its process may be dead for a lease at most. Undefined: no one leads. */
  leader(): Promise<Leader | undefined>;
  /**
   * Gives the leader of now at once, and then each change; undefined: no one leads. Ends without an error when the
   * signal is aborted or the store is closed. Changes in quick succession may be told as one.
   */
  watchLeader(signal: AbortSignal): AsyncIterable<Leader | undefined>;
  /**
   * All records under a prefix, in the order of the keys' UTF-8 bytes. Sees every commit that was acknowledged before
   * the call.
   */
  scan(prefix: string): AsyncIterable<StoredRecord>;
  /** Closes the store. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/** A leader, as others see it. */
export interface Leader {
  /** What the leader said of itself when it stood for election: the address it answers at. */
  readonly owner: string;
  readonly epoch: number;
  /** When it began to lead, in milliseconds since 1970 by its own wall clock: for display only. */
  readonly since: number;
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
