// `millrace master`: leads a cluster, as soon as no other master of it does, until it is told to end or can't go on.
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { type MasterNode, type MasterNodeOptions, openMasterNode, type Standby } from "../../master/node.ts";
import { storeOf } from "../../master/shared-state.ts";
import { isSharedStore } from "../arguments.ts";
import type { StoreFlags } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { quoted } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { type LogLevel, openLog } from "../screen/log.ts";
import { firstOf, listenForEndings } from "../service.ts";

export interface MasterCommandFlags extends StoreFlags {
  readonly state: string;
  readonly tokens?: string;
  readonly blobs?: string;
  readonly listen: string;
  readonly advertise?: string;
  readonly lease?: number;
  readonly maxWorkers?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly ca?: string;
  readonly logLevel: LogLevel;
  readonly json: boolean;
  /** It ends with the process that has started it: when that closes its standard input. */
  readonly withParent: boolean;
}

export async function masterCommand(flags: MasterCommandFlags): Promise<void> {
  const print = linePrinter();
  const endings = listenForEndings();
  if (flags.withParent) process.stdin.resume().once("close", () => process.kill(process.pid, "SIGTERM"));
  const node = await openUnlessEnded(endings.first, {
    state: flags.state,
    sharedStore: isSharedStore(flags.state) ? storeOf(flags.state, storeOptions(flags)) : undefined,
    tokens: flags.tokens,
    blobs: flags.blobs,
    standby: (standby) => tellStandby(standby, flags, print),
    listen: flags.listen,
    advertise: flags.advertise,
    leaseMs: flags.lease,
    workersMax: flags.maxWorkers,
    tls: tlsFilesOf(flags),
    ca: flags.ca,
    log: openLog(flags.logLevel, { process: "master" }),
  });
  if (node === undefined) return endings.stop();
  try {
    const { address, cluster, epoch, tokens, tokenFile } = node;
    const state = isSharedStore(flags.state) ? flags.state : resolve(flags.state);
    if (flags.json) print(JSON.stringify({ event: "ready", address, cluster, epoch, state, tokens, tokenFile }));
    else {
      const ca = flags.ca === undefined ? "" : ` --ca ${quoted(flags.ca)}`;
      print(`${pc.green("ready")} ${pc.bold(`master at ${address}`)}`);
      print(`  state    ${printable(state)}`);
      print(`  tokens   ${printable(tokens)}; commands on this machine find theirs in ${printable(tokenFile)}`);
      print(`  worker   millrace worker --master ${address}${ca} --work-dir DIR`);
      print(`  job      millrace run JOB INPUT… -o DIR --master ${address}${ca}`);
    }
    const ended = await firstOf(endings.first, node.stopped);
    if (ended === node.stopped && !endings.first.aborted) throw steppedDown(node.stopped.reason);
  } finally {
    endings.stop(); // a second signal ends the process as it stands: what counts is on disk
    await node.close();
  }
}

function storeOptions({ stateCa, stateCert, stateKey, stateUser, statePasswordFile }: MasterCommandFlags) {
  return { stateCa, stateCert, stateKey, stateUser, statePasswordFile };
}

/** Undefined: it was told to end while it waited for its turn. */
async function openUnlessEnded(ended: AbortSignal, options: MasterNodeOptions): Promise<MasterNode | undefined> {
  try {
    return await openMasterNode({ ...options, signal: ended });
  } catch (error) {
    if (ended.aborted && error === ended.reason) return undefined;
    throw error;
  }
}

function tellStandby(
  { address, leader, tokens, tokenFile }: Standby,
  { json }: MasterCommandFlags,
  print: (line: string) => void,
): void {
  if (json) print(JSON.stringify({ event: "standby", address, leader, tokens, tokenFile }));
  else print(`${pc.yellow("standby")} ${pc.bold(`master at ${address}`)}: the one at ${printable(leader)} leads`);
}

/** Both files or neither: a certificate is useless without its key. */
export function tlsFilesOf({ tlsCert, tlsKey }: { readonly tlsCert?: string; readonly tlsKey?: string }) {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new MillraceError("wrong-usage", "--tls-cert and --tls-key belong together: give both, or none");
  }
  return { cert: tlsCert, key: tlsKey };
}

/** The reason why the master stepped down, as the error that ends the command. */
function steppedDown(reason: unknown): unknown {
  return reason instanceof Error ? reason : new MillraceError("not-leader", "the master has stepped down");
}
