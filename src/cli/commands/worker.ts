// `millrace worker`: works for a cluster until it has drained, or can't go on.
import { join } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import { findTokens } from "../../rpc/access/find-token.ts";
import { fixedTokens } from "../../rpc/access/tokens.ts";
import { connectMaster } from "../../rpc/client/client.ts";
import { parseListen } from "../../rpc/server/listen-address.ts";
import { openWorkerNode } from "../../worker/node/node.ts";
import type { Notice } from "../../worker/node/notice.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { type LogLevel, openLog } from "../screen/log.ts";
import { type Endings, firstOf, listenForEndings } from "../service.ts";
import { tlsFilesOf } from "./master.ts";
import { type StandbyFlags, standbyWords, startStandby } from "./standby.ts";

export interface WorkerCommandFlags extends StandbyFlags {
  readonly master: string;
  readonly workDir: string;
  readonly slots?: number;
  readonly memory?: number;
  readonly name?: string;
  readonly listen: string;
  readonly advertise?: string;
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly ca?: string;
  readonly notice?: Notice;
  readonly noticeWithin: number;
  readonly logLevel: LogLevel;
  readonly json: boolean;
}

export async function workerCommand(flags: WorkerCommandFlags): Promise<void> {
  const words = standbyWords(flags);
  const endings = listenForEndings();
  const log = openLog(flags.logLevel, { process: "worker" });
  // First of all: it may be the only master that there is.
  const supervised = { clock: systemClock, random: Math.random, log };
  const standby = words === undefined ? undefined : await startStandby(words, supervised);
  try {
    await work(flags, endings, log);
  } finally {
    await standby?.close();
  }
}

async function work(flags: WorkerCommandFlags, endings: Endings, log: Log): Promise<void> {
  const { master, ca } = flags;
  const print = linePrinter();
  let isToldOfSilence = false;
  const own = flags.standby && flags.tokens !== undefined ? join(flags.tokens, "worker") : undefined;
  const tokens = findTokens({ address: master, tokenFile: flags.tokenFile ?? own, role: "worker" });
  const node = await openWorkerNode({
    connect: ({ worker, onWelcome }) =>
      connectMaster({
        address: master,
        token: tokens[0]!,
        ca,
        role: "worker",
        worker,
        onWelcome,
        // Before the master has accepted this worker nothing else reports it; from then on the node does.
        onRepeat: ({ message }) => {
          if (!isToldOfSilence) log.warn({}, `${message}; trying again`);
          isToldOfSilence = true;
        },
        clock: systemClock,
        random: Math.random,
      }),
    workDir: flags.workDir,
    slots: flags.slots,
    memoryBytes: flags.memory,
    listen: parseListen(flags.listen),
    advertise: flags.advertise,
    name: flags.name,
    tls: tlsFilesOf(flags),
    ca,
    tokens: fixedTokens({ worker: tokens }),
    notice: flags.notice === undefined ? undefined : { from: flags.notice, withinMs: flags.noticeWithin },
    log,
  });
  try {
    const { id, incarnation, address } = node;
    if (flags.json) {
      print(JSON.stringify({ event: "ready", worker: id, incarnation, address, master }));
    } else {
      print(
        `${pc.green("ready")} ${pc.bold(`worker ${printable(id)}`)} of ${printable(master)}, reached at ${address}`,
      );
    }
    const ended = node.ended.then(() => "ended" as const);
    ended.catch(() => {}); // the wait below rejects with it
    const first = await Promise.race([firstOf(endings.first), ended]);
    if (first === "ended") return;
    tell("draining: finishes what runs, hands over what others need; once more ends it at once", flags);
    const drained = node.drain();
    drained.catch(() => {}); // as above
    if ((await Promise.race([firstOf(endings.second), drained.then(() => "drained" as const)])) === "drained") {
      await ended;
      return;
    }
    throw new MillraceError(
      "cancelled",
      "ended at once: what ran is given to other workers; map outputs stay in the work directory",
    );
  } finally {
    endings.stop();
    await node.close();
  }
}

function tell(sentence: string, { json }: WorkerCommandFlags): void {
  if (!json) process.stderr.write(`${sentence}\n`);
}
