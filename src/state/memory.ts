import { MillraceError } from "../base/error.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { Seat } from "./seat.ts";
import type { Change, Leadership, StateStore, StoredRecord } from "./store.ts";

/** What several stores in one process share, as those of several masters share a cluster of etcd. */
export class SharedMemory {
  readonly records = new Map<string, Uint8Array>();
  readonly seat = new Seat();
  epoch = 0;
  /** Ends the leadership that there is. */
  losing = new AbortController();

  /** What becomes of a leader that the store has not heard for a lease: it loses its leadership to whoever waits. */
  expire(): void {
    this.losing.abort();
    this.seat.leave(this.epoch);
  }
}

/**
 * The store of tests and simulations. What was committed exists as long as the memory, which several stores may share:
 * one of them leads, and the others wait for it.
 */
export function createMemoryStore(memory = new SharedMemory(), clock: Pick<Clock, "date"> = systemClock): StateStore {
  const { records, seat } = memory;
  const closing = new AbortController();
  /** The epoch of the newest leadership that this store has given. */
  let mine = 0;

  return {
    async lead(owner, signal) {
      signal.throwIfAborted();
      if (seat.leader?.epoch === mine) memory.expire();
      for await (const leader of seat.watch(AbortSignal.any([signal, closing.signal]))) {
        // Others who wait were told the same, and one of them may have been quicker.
        if (leader !== undefined || seat.leader !== undefined) continue;
        memory.losing = new AbortController();
        mine = ++memory.epoch;
        seat.take({ owner, epoch: mine, since: clock.date().getTime() });
        return leadership(mine, memory.losing);
      }
      signal.throwIfAborted();
      throw new MillraceError("not-leader", "the state store was closed");
    },
    leader: async () => seat.leader,
    watchLeader: (signal) => seat.watch(AbortSignal.any([signal, closing.signal])),
    async *scan(prefix) {
      const found: StoredRecord[] = [];
      for (const [key, value] of records) if (key.startsWith(prefix)) found.push({ key, value });
      // By UTF-8 bytes, as LevelDB and etcd order keys.
      yield* found.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    },
    async close() {
      closing.abort();
      if (seat.leader?.epoch === mine) memory.expire();
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
        seat.leave(own);
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
