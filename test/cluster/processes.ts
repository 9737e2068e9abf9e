// A cluster as its user starts it: the built command, each process on its own, on loopback, with directories below one
// folder.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeAll } from "../process/support.ts";
import { type CliResult, millrace, repository } from "../support/cli.ts";

const program = join(repository, "bin/millrace.js");

export interface ClusterProcess {
  readonly child: ChildProcess;
  /** What it said when it was ready, or when it began to wait for its turn to lead. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** All that it has printed on standard error. */
  output(): string;
}

export interface TestCluster {
  readonly folder: string;
  readonly address: string;
  readonly master: ClusterProcess;
  readonly env: Readonly<Record<string, string>>;
  /** `inside`: a command that is given the worker's command line to run. */
  startWorker(name: string, words?: readonly string[], inside?: readonly string[]): Promise<ClusterProcess>;
  /** `millrace …words --master ADDRESS`, as the user who has started the master. */
  ask(words: readonly string[], options?: Parameters<typeof millrace>[1]): Promise<CliResult>;
  /** Starts the master of the same state at the same address again. */
  restartMaster(): Promise<void>;
  /** Ends all processes and removes all files. */
  close(): Promise<void>;
}

/** Starts `millrace …words --json` and waits until it says that it is ready, or stands by. */
export function startProcess(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  inside: readonly string[] = [],
): Promise<ClusterProcess> {
  const line = [...inside, process.execPath, program, ...words, "--json"];
  const child = spawn(line[0]!, line.slice(1), {
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stderr!.on("data", (chunk) => (stderr += chunk));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  );
  return new Promise((resolve, reject) => {
    child.stdout!.on("data", (chunk) => {
      stdout += chunk;
      const line = stdout.split("\n").find((one) => /^\{"event":"(?:ready|standby)"/.test(one));
      if (line !== undefined && stdout.includes("\n"))
        resolve({ child, ready: JSON.parse(line), ended, output: () => stderr });
    });
    child.once("error", reject);
    void ended.then(({ code, signal }) =>
      reject(new Error(`millrace ${words.join(" ")} ended before it was ready (${code ?? signal}):\n${stderr}`)),
    );
  });
}

/** A master, and workers with one slot each. */
export async function startCluster(
  workers: readonly string[] = ["w1", "w2"],
  masterWords: readonly string[] = [],
): Promise<TestCluster> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-cluster-"));
  const env = { XDG_CONFIG_HOME: join(folder, "config") };
  const processes: ClusterProcess[] = [];
  const startMaster = async (listen: string) => {
    const master = await startProcess(
      ["master", "--state", join(folder, "state"), "--listen", listen, ...masterWords],
      env,
    );
    processes.push(master);
    return master;
  };
  let master = await startMaster("127.0.0.1:0");
  const address = master.ready["address"] as string;
  const cluster: TestCluster = {
    folder,
    address,
    env,
    get master() {
      return master;
    },
    async startWorker(name, words = [], inside = []) {
      const where = ["--master", address, "--work-dir", join(folder, name), "--name", name];
      const worker = await startProcess(
        ["worker", ...where, "--slots", "1", "--memory", "128MB", ...words],
        env,
        inside,
      );
      processes.push(worker);
      return worker;
    },
    ask: (words, options = {}) =>
      millrace([...words, "--master", address], { ...options, env: { ...env, ...options.env } }),
    async restartMaster() {
      master = await startMaster(new URL(address).host);
    },
    async close() {
      for (const { child } of processes) child.kill("SIGKILL");
      await Promise.all(processes.map(({ ended }) => ended));
      removeAll(folder);
    },
  };
  try {
    await Promise.all(workers.map((name) => cluster.startWorker(name)));
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** Waits until something is so; the test's own time limit ends it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
}
