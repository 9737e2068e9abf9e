// Follows who leads, for a master that does not: callers are sent there.
import type { Log } from "../base/system/log.ts";
import type { StateStore } from "../state/store.ts";
import type { Seat } from "./seat.ts";

export interface FollowOptions {
  readonly store: Pick<StateStore, "watchLeader">;
  readonly seat: Pick<Seat, "leads">;
  readonly log: Log;
}

/** `first` resolves with the address of the one that leads at first; undefined: no one does, or it can't be told. */
export function followLeader({ store, seat, log }: FollowOptions): {
  readonly first: Promise<string | undefined>;
  readonly close: () => Promise<void>;
} {
  const closing = new AbortController();
  let told: (first: string | undefined) => void = () => {};
  const first = new Promise<string | undefined>((resolve) => (told = resolve));
  const running = (async () => {
    try {
      for await (const leader of store.watchLeader(closing.signal)) {
        seat.leads(leader?.owner);
        told(leader?.owner);
      }
    } catch (error) {
      // Callers look for the leader by themselves then.
      seat.leads(undefined);
      log.warn({ error: String(error) }, "the store does not tell any more who leads");
    } finally {
      told(undefined);
    }
  })();
  return {
    first,
    async close() {
      closing.abort();
      await running;
    },
  };
}
