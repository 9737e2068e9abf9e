/** A durable, fenced, ordered key-value store; LevelDB and memory (later etcd) pass one suite. */
export interface StateStore {
  /** Become the only writer; resolves with an epoch larger than any before it. */
  lead(owner: string, signal: AbortSignal): Promise<Leadership>;
  /** All records under a prefix, in key order; linearizable. */
  scan(prefix: string): AsyncIterable<StoredRecord>;
  close(): Promise<void>;
}

export interface Leadership {
  readonly epoch: number;
  /** Aborted the moment leadership is, or may be, lost. */
  readonly lost: AbortSignal;
  /**
   * Apply in order, durably; rejects with `not-leader` once a later epoch exists. A crash may keep only a prefix (etcd
   * bounds a transaction), so every prefix must be a valid state.
   */
  commit(changes: readonly Change[]): Promise<void>;
  resign(): Promise<void>;
}

export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

export type Change = { readonly put: StoredRecord } | { readonly delete: string };
