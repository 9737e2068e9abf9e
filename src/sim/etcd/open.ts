// A master's end of the simulated etcd: the product's own client, with this world's clock and network.

import { openEtcdStore } from "../../state/etcd/store.ts";
import type { StateStore } from "../../state/store.ts";
import type { Network } from "../network.ts";
import type { Process } from "../process.ts";
import { etcdRoot } from "./server.ts";
import { etcdTransport } from "./transport.ts";

/** Where nothing else says how long a call may take. */
const callMs = 1000;

export function openSimulatedEtcd(process: Process, network: Network, leaseMs: number): Promise<StateStore> {
  const transport = etcdTransport(process, network, process, callMs);
  return openEtcdStore(`//store:2379${etcdRoot}`, {
    clock: process.clock,
    // etcd counts leases in seconds. Half of a worker's, so that a master is replaced before its workers count as gone.
    leaseMs: Math.ceil(leaseMs / 2000) * 1000,
    connect: () => ({ transport, close: () => {} }),
  });
}
