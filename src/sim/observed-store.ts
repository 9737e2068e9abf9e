// A master's end of the state store, before whoever watches: what a leader sends to it, and what it is told.
import type { Leadership, StateStore } from "../state/store.ts";
import type { MasterLife, Observer } from "./scene.ts";

export function observedStore(store: StateStore, master: MasterLife, observer: Observer): StateStore {
  return {
    async lead(owner, signal) {
      return observed(await store.lead(owner, signal), master, observer);
    },
    leader: () => store.leader(),
    watchLeader: (signal) => store.watchLeader(signal),
    scan: (prefix) => store.scan(prefix),
    close: () => store.close(),
  };
}

function observed(leadership: Leadership, master: MasterLife, observer: Observer): Leadership {
  const { epoch, lost } = leadership;
  return {
    epoch,
    lost,
    async commit(changes) {
      observer.committing?.(epoch, changes);
      await leadership.commit(changes);
      observer.acknowledged?.(epoch, changes);
      observer.committed?.(master);
    },
    resign: () => leadership.resign(),
  };
}
