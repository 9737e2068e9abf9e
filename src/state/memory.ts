import { MillraceError } from "../base/error.ts";
import type { Change, Leadership, StateStore, StoredRecord } from "./store.ts";

/** The store of tests and simulations. What was committed exists as long as the object. */
export function createMemoryStore(): StateStore {
  const records = new Map<string, Uint8Array>();
  let epoch = 0;
  let losing = new AbortController();

  return {
    async lead() {
      losing.abort();
      losing = new AbortController();
      return leadership(++epoch, losing);
    },
    async *scan(prefix) {
      const found: StoredRecord[] = [];
      for (const [key, value] of records) if (key.startsWith(prefix)) found.push({ key, value });
      // By UTF-8 bytes, as LevelDB and etcd order keys.
      yield* found.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    },
    async close() {
      losing.abort();
    },
  };

  function leadership(own: number, lost: AbortController): Leadership {
    return {
      epoch: own,
      lost: lost.signal,
      async commit(changes: readonly Change[]) {
        if (lost.signal.aborted) throw notLeader(own);
        for (const change of changes) {
          if ("put" in change) records.set(change.put.key, change.put.value.slice());
          else records.delete(change.delete);
        }
      },
      async resign() {
        lost.abort();
      },
    };
  }
}

export function notLeader(epoch: number): MillraceError {
  return new MillraceError(
    "not-leader",
    `another master leads now; this one led in epoch ${epoch} and has stepped down`,
  );
}
