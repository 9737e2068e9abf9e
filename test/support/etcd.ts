// Real members of etcd for tests: processes of their own on free ports of 127.0.0.1, with their data in a temporary
// folder. They are ended by their process ids.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const isInstalled = spawnSync("etcd", ["--version"]).status === 0;

/** Why tests with etcd are skipped; undefined: they run. In CI they always run, and fail without it. */
export const etcdIsMissing =
  isInstalled || process.env.CI === "true" ? undefined : "etcd is not installed (Debian: etcd-server)";

export interface EtcdCluster {
  /** "HOST:PORT" of each member's clients. */
  readonly clients: readonly string[];
  readonly pids: readonly number[];
  /** Starts a member again that has ended. */
  start(member: number): Promise<void>;
  /** Ends a member at once, as a machine that dies. */
  kill(member: number): Promise<void>;
  /** Ends all members, and removes their data. */
  close(): Promise<void>;
}

export interface EtcdClusterOptions {
  /** Default 1. */
  readonly members?: number;
  /** Further arguments, such as those for TLS. */
  readonly args?: readonly string[];
  /** Default "http". */
  readonly scheme?: "http" | "https";
}

/** Starts a cluster, and waits until its members accept connections. */
export async function startEtcd(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
  const { members: count = 1, args = [], scheme = "http" } = options;
  const folder = mkdtempSync(join(tmpdir(), "millrace-etcd-"));
  const ports = await freePorts(2 * count);
  const clientPorts = ports.slice(0, count);
  const peers = ports.slice(count).map((port) => `http://127.0.0.1:${port}`);
  const cluster = peers.map((peer, index) => `m${index}=${peer}`).join(",");
  const processes: ChildProcess[] = [];
  const start = async (index: number) => {
    const client = `${scheme}://127.0.0.1:${clientPorts[index]}`;
    const log = join(folder, `m${index}.log`);
    const output = openSync(log, "a");
    const member = spawn(
      "etcd",
      [
        ...["--name", `m${index}`, "--data-dir", join(folder, `m${index}`)],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peers[index]!, "--initial-advertise-peer-urls", peers[index]!],
        ...["--initial-cluster", cluster, "--initial-cluster-state", "new", "--initial-cluster-token", folder],
        ...["--heartbeat-interval", "100", "--election-timeout", "1000", "--log-level", "error", "--logger", "zap"],
        ...args,
      ],
      { stdio: ["ignore", output, output] },
    );
    processes[index] = member;
    await accepts(clientPorts[index]!, member, () => readFileSync(log, "utf8"));
  };
  const kill = (index: number) => {
    const member = processes[index]!;
    if (member.exitCode !== null || member.signalCode !== null) return Promise.resolve();
    return new Promise<void>((resolve) => {
      member.once("exit", () => resolve());
      member.kill("SIGKILL");
    });
  };
  const close = async () => {
    await Promise.all(processes.map((_, index) => kill(index)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(Array.from({ length: count }, (_, index) => start(index)));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    clients: clientPorts.map((port) => `127.0.0.1:${port}`),
    get pids() {
      return processes.map(({ pid }) => pid!);
    },
    start,
    kill,
    close,
  };
}

/** Ports that no one listens on now. All are held until all are known, so that none comes twice. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function accepts(port: number, member: ChildProcess, log: () => string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (member.exitCode !== null) throw new Error(`etcd has ended: ${log()}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`etcd does not listen: ${log()}`);
}
