// A master beside a worker (`millrace worker --standby`): a process of its own, which stands for election and leads
// when it is elected. The worker starts it again when it has ended, as a service manager would, and it ends with the
// worker.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { deferred } from "../../base/deferred.ts";
import { MillraceError } from "../../base/error.ts";
import { exitCodes } from "../../base/error-codes.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import { backOffMs } from "../../rpc/client/back-off.ts";
import { isSharedStore } from "../arguments.ts";
import type { StoreFlags } from "../options.ts";

export interface StandbyFlags extends StoreFlags {
  readonly standby: boolean;
  readonly standbyBesideJobs: boolean;
  readonly state?: string;
  readonly tokens?: string;
  readonly blobs?: string;
  readonly listenMaster?: string;
  readonly advertise?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly ca?: string;
  readonly logLevel: string;
}

/** The words of the master's command line; undefined: the worker is to be no standby. Throws `wrong-usage`. */
export function standbyWords(flags: StandbyFlags): readonly string[] | undefined {
  const { state, tokens, blobs, listenMaster } = flags;
  const own = {
    "--state": state,
    "--tokens": tokens,
    "--blobs": blobs,
    "--listen": listenMaster,
    "--state-ca": flags.stateCa,
    "--state-cert": flags.stateCert,
    "--state-key": flags.stateKey,
    "--state-user": flags.stateUser,
    "--state-password-file": flags.statePasswordFile,
  };
  if (!flags.standby) {
    const [useless] = Object.entries(own).find(([, value]) => value !== undefined) ?? [];
    if (useless === undefined && !flags.standbyBesideJobs) return undefined;
    const name = useless === undefined ? "--standby-beside-jobs" : useless === "--listen" ? "--listen-master" : useless;
    throw wrong(`${name} is for a worker with --standby: give that too, or leave it out`);
  }
  if (state === undefined || !isSharedStore(state)) throw wrong("--standby needs --state etcd://HOST:PORT,…");
  if (tokens === undefined) throw wrong("--standby needs --tokens DIR, the token files that all masters have");
  if (blobs === undefined) throw wrong("--standby needs --blobs DIR, which all masters see");
  if (listenMaster === undefined) throw wrong("--standby needs --listen-master HOST:PORT, where its master is reached");
  if (!flags.standbyBesideJobs) {
    throw wrong(
      "slots run jobs' code as this worker's user, so that a job could read the tokens and what opens the store, and act as the master: start a master of its own under another user (millrace master), or give --standby-beside-jobs where whoever may submit jobs may do that",
    );
  }
  const shared = {
    "--advertise": flags.advertise,
    "--tls-cert": flags.tlsCert,
    "--tls-key": flags.tlsKey,
    "--ca": flags.ca,
    "--log-level": flags.logLevel,
  };
  const given = Object.entries({ ...own, ...shared }).filter(([, value]) => value !== undefined);
  return ["master", ...given.flatMap(([name, value]) => [name, value!]), "--json", "--with-parent"];
}

function wrong(message: string): MillraceError {
  return new MillraceError("wrong-usage", message);
}

/** Time for the master to give up its leadership, so that the next one need not wait for its lease to end. */
const graceMs = 5_000;
const pauses = { firstMs: 500, mostMs: 30_000 };

export interface Supervised {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/**
 * Starts the master, and resolves when it leads or waits for its turn. Rejects when it ends before that: its own
 * messages, on standard error, say why.
 */
export async function startStandby(
  words: readonly string[],
  { clock, random, log }: Supervised,
): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController();
  let child: ChildProcess | undefined;
  /** Runs one master to its end. `said` is called with each line that it prints. */
  const run = (said: (line: string) => void) =>
    new Promise<number | string>((resolve) => {
      const master = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
        stdio: ["pipe", "pipe", "inherit"],
        // An interrupt from the keyboard is for the worker, which still works then and ends this one last.
        detached: true,
      });
      child = master;
      master.stdin.on("error", () => {}); // it has ended
      createInterface({ input: master.stdout }).on("line", said);
      master.once("error", (error) => resolve(String(error)));
      master.once("close", (code, signal) => resolve(code ?? signal ?? "?"));
    });
  const first = deferred();
  const running = (async () => {
    for (let failures = 0; !closing.signal.aborted; ) {
      const startedAt = clock.now();
      const how = await run((line) => {
        first.resolve();
        log.info({ master: line }, "the master beside this worker");
      });
      if (closing.signal.aborted) return;
      first.reject(
        new MillraceError(
          how === exitCodes.usage ? "wrong-usage" : "io-error",
          `the master beside this worker can't be started (it ended with ${how}): its message is above`,
        ),
      );
      failures = clock.now() - startedAt > pauses.mostMs ? 1 : failures + 1;
      log.warn({ ended: how }, "the master beside this worker has ended, and is started again");
      await clock.sleep(backOffMs(failures, random, pauses), closing.signal);
    }
  })();
  const close = async () => {
    closing.abort();
    child?.kill("SIGTERM");
    const timer = setTimeout(() => child?.kill("SIGKILL"), graceMs);
    await running;
    clearTimeout(timer);
  };
  try {
    await first.promise;
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
