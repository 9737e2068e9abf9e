// What masters of a world keep their state in, and how each of them opens it.
import type { StateStore } from "../state/store.ts";
import type { Chance } from "./chance.ts";
import { openSimulatedEtcd } from "./etcd/open.ts";
import { EtcdServer } from "./etcd/server.ts";
import type { Process } from "./process.ts";
import type { Scene } from "./scene.ts";
import { stateClient } from "./state-client.ts";
import { StateServer, type StateService, type StoreWatcher } from "./state-server.ts";

export interface SimulatedStore {
  readonly server: StateService;
  /** A master's end of it. */
  open(process: Process): Promise<StateStore>;
}

/** `process`: where it runs. */
export function simulatedStore(scene: Scene, process: Process, chance: Chance, watcher: StoreWatcher): SimulatedStore {
  const { options, timeline, network } = scene;
  switch (options.store) {
    case "session": {
      const server = new StateServer(process, () => timeline.now, chance, options, watcher);
      return { server, open: async (master) => stateClient(master, network, server, options) };
    }
    case "etcd": {
      const server = new EtcdServer(process, scene, chance, watcher);
      return { server, open: (master) => openSimulatedEtcd(master, network, options.leaseMs) };
    }
  }
}
