// The cluster that faults happen to: a master and five workers of two slots, as their user starts them, each worker
// behind a proxy of its own on its way to the master.
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProcess } from "../cluster/processes.ts";
import { removeAll } from "../process/support.ts";
import { type FaultProxy, faultProxy } from "../support/fault-proxy.ts";
import { mountSmallDisk, unmount } from "./faults.ts";
import { Machine } from "./machine.ts";
import { leaseMs, slotsPerWorker, workers } from "./settings.ts";

export interface ChaosCluster {
  readonly folder: string;
  readonly address: string;
  readonly env: Readonly<Record<string, string>>;
  readonly masters: readonly Machine[];
  readonly workers: readonly Machine[];
  /** By the worker whose way to the master it is. */
  readonly links: ReadonlyMap<string, FaultProxy>;
  /** The last worker's directory is a file system of its own; undefined, with why: it can't be. */
  readonly smallDisk: string | undefined;
  readonly smallDiskMissing: string | undefined;
  close(): Promise<void>;
}

export async function startChaosCluster(): Promise<ChaosCluster> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-chaos-"));
  const env = { XDG_CONFIG_HOME: join(folder, "config") };
  const state = join(folder, "state");
  let listen = "127.0.0.1:0";
  const master = new Machine("master", () =>
    startProcess(["master", "--state", state, "--listen", listen, "--lease", `${leaseMs}ms`], env),
  );
  await master.start();
  const address = master.process!.ready["address"] as string;
  const { host, port } = new URL(address);
  listen = host;
  const links = new Map<string, FaultProxy>();
  for (const name of workers) links.set(name, await faultProxy({ port: Number(port) }));
  const machines = workers.map((name) => {
    const way = `http://127.0.0.1:${links.get(name)!.port}`;
    const words = ["worker", "--master", way, "--token-file", join(state, "tokens", "worker"), "--name", name];
    const place = ["--work-dir", join(folder, name), "--slots", String(slotsPerWorker), "--memory", "128MB"];
    return new Machine(name, () => startProcess([...words, ...place], env));
  });
  const small = join(folder, workers.at(-1)!);
  mkdirSync(small);
  const smallDiskMissing = mountSmallDisk(small);
  const smallDisk = smallDiskMissing === undefined ? small : undefined;
  const close = async () => {
    await Promise.all([...machines, master].map((machine) => machine.kill()));
    await Promise.all([...links.values()].map((link) => link.close()));
    if (smallDisk !== undefined) unmount(smallDisk);
    removeAll(folder);
  };
  try {
    await Promise.all(machines.map((machine) => machine.start()));
  } catch (error) {
    await close();
    throw error;
  }
  return { folder, address, env, masters: [master], workers: machines, links, smallDisk, smallDiskMissing, close };
}
