import { afterAll, beforeAll, describe } from "vitest";
import { storeConformance } from "../../../test/conformance/store.ts";
import { type EtcdCluster, etcdIsMissing, startEtcd } from "../../../test/support/etcd.ts";
import { openStateStore } from "../open.ts";

describe.skipIf(etcdIsMissing !== undefined)(`with one member of etcd ${etcdIsMissing ?? ""}`, () => {
  let etcd: EtcdCluster;
  let stores = 0;
  beforeAll(async () => {
    etcd = await startEtcd();
  }, 60_000);
  afterAll(() => etcd.close());

  storeConformance("etcd", async () => {
    const url = `etcd://${etcd.clients}/store-${++stores}`;
    const store = await openStateStore(url, { leaseMs: 2000 });
    return {
      store,
      another: () => openStateStore(url, { leaseMs: 2000 }),
      reopen: async () => {
        await store.close();
        return await openStateStore(url);
      },
    };
  });
});
