// A cluster on this machine for the benchmarks: a master and two workers with one slot each, started with the built
// command.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fingerprint } from "./compare.mjs";
import { measure } from "./measure.mjs";

const program = join(dirname(dirname(fileURLToPath(import.meta.url))), "bin/millrace.js");

/** `--json` processes print one event per line; resolves when `"event":"ready"` has come. */
function start(words, env) {
  const child = spawn(process.execPath, [program, ...words, "--json"], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (chunk) => (stderr = (stderr + chunk).slice(-4000)));
  const ended = new Promise((resolve) => child.once("close", resolve));
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      const line = stdout.split("\n").find((one) => one.includes('"event":"ready"'));
      if (line !== undefined && stdout.includes("\n")) resolve({ child, ended, ready: JSON.parse(line) });
    });
    void ended.then(() => reject(new Error(`millrace ${words.join(" ")} ended:\n${stderr}`)));
  });
}

export async function openCluster({ lease = "10s", memory = "1GB" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  const env = { XDG_CONFIG_HOME: join(folder, "config") };
  const all = [];
  const keep = async (process) => {
    all.push(await process);
    return all.at(-1);
  };
  const state = ["--state", join(folder, "state"), "--listen", "127.0.0.1:0", "--lease", lease];
  const workers = new Map();
  let address;
  const startWorker = async (name) => {
    const where = ["--master", address, "--work-dir", join(folder, name), "--name", name];
    workers.set(name, await keep(start(["worker", ...where, "--slots", "1", "--memory", memory], env)));
  };
  /**
   * Ends workers first, so that they give back their memory directories; a process that has not ended after 10 s is
   * killed.
   */
  const close = async () => {
    const end = async ({ child, ended }) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      child.kill("SIGTERM");
      await ended;
      clearTimeout(timer);
    };
    await Promise.all(all.slice(1).map(end));
    await Promise.all(all.slice(0, 1).map(end));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const master = await keep(start(["master", ...state], env));
    address = master.ready.address;
    const started = await Promise.allSettled(["w1", "w2"].map(startWorker));
    const failed = started.find(({ status }) => status === "rejected");
    if (failed !== undefined) throw failed.reason;
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address,
    env,
    /** Kills a worker and starts it again, with what it had on disk or without. */
    async restart(name, { diskLost }) {
      const { child, ended } = workers.get(name);
      child.kill("SIGKILL");
      await ended;
      if (diskLost) rmSync(join(folder, name), { recursive: true, force: true });
      await startWorker(name);
    },
    close,
  };
}

/**
 * The time that a job takes per round, undisturbed and with a worker killed at half of that time; all must publish the
 * same.
 */
export async function killedAtHalf({ job, input, output, words, rounds, bench }) {
  const results = new Map([
    ["undisturbed", []],
    ["restarted", []],
    ["disk lost", []],
  ]);
  let half = 0;
  let expected;
  for (let round = 0; round < rounds; round++) {
    for (const [name, list] of results) {
      const cluster = await openCluster({ lease: "3s" });
      let restarting;
      try {
        rmSync(output, { recursive: true, force: true });
        const strike = () => (restarting = cluster.restart("w2", { diskLost: name === "disk lost" }));
        const timer = name === "undisturbed" ? undefined : setTimeout(strike, half * 1000);
        const result = await measure(
          {
            command: process.execPath,
            args: [program, "run", job, input, "-o", output, "--master", cluster.address, "--quiet", ...words],
            env: cluster.env,
          },
          bench.signal,
        ).finally(() => clearTimeout(timer));
        await restarting;
        const print = await fingerprint(output, "lines");
        expected ??= print;
        if (print !== expected) bench.mistakes.push(`${name}: another result than undisturbed`);
        list.push(result);
        if (name === "undisturbed") half = result.seconds / 2;
        bench.log(`round ${round + 1} ${name}: ${result.seconds.toFixed(1)} s`);
      } finally {
        await Promise.allSettled([restarting]);
        await cluster.close();
        rmSync(output, { recursive: true, force: true });
      }
    }
  }
  return results;
}
