// What a worker's process is made of, and what it offers.

import type { WorkerId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import type { Blobs, RemoteMaster, Welcome } from "../../protocol/services.ts";
import type { Tokens } from "../../rpc/access/tokens.ts";
import type { TlsFiles } from "../../rpc/server/http.ts";

export interface WorkerNodeOptions {
  /** Makes the connection to the master; `onWelcome` is to be called after each handshake. Closed by the node. */
  readonly connect: (self: {
    readonly worker: WorkerId;
    readonly onWelcome: (welcome: Welcome) => void;
  }) => WorkersMaster;
  /** Made where it is missing. */
  readonly workDir: string;
  /** Default: one per core, fewer where memory does not suffice. */
  readonly slots: number | undefined;
  /** For all slots and the memory tier together. Default: a quarter of the machine's. */
  readonly memoryBytes: number | undefined;
  /** Port 0: any that is free. */
  readonly listen: { readonly host: string; readonly port: number };
  /** The host by which others reach this process, where that is not what it listens on. */
  readonly advertise?: string | undefined;
  /** Default: as before in this work directory, or a random one. */
  readonly name?: WorkerId | undefined;
  readonly tls?: TlsFiles | undefined;
  /** PEM file of the authority that signed the other workers' certificates. Default: the system's. */
  readonly ca?: string | undefined;
  /** Those of scope "worker": the first signs, every one is accepted. */
  readonly tokens: Tokens;
  readonly clock?: Clock;
  /** 0 <= x < 1: jitter. */
  readonly random?: () => number;
  readonly log?: Log;
  /** How long `drain` lets attempts go on, and how long it then serves map outputs that are still needed. */
  readonly drainGraceMs?: number | undefined;
  readonly drainLimitMs?: number | undefined;
  /** `dist/slot.cjs`. */
  readonly slotProgram?: string;
  /** Where a memory directory may be made. Default /dev/shm. */
  readonly memoryRoot?: string;
}

/** What a worker asks of a master. */
export interface WorkersMaster extends Pick<RemoteMaster, "hello" | "heartbeat" | "close"> {
  readonly blobs: Pick<Blobs, "get">;
}

export interface WorkerNode {
  readonly id: WorkerId;
  readonly incarnation: number;
  /** "http://127.0.0.1:41234" */
  readonly address: string;
  /** Resolves when all is closed, for whatever reason; rejects where it can't go on. Its process should end then. */
  readonly ended: Promise<void>;
  /** Takes nothing new, and closes when nobody needs this worker any more. May be called again. */
  drain(graceMs?: number): Promise<void>;
  /** Kills slots and closes at once. Runs stay for the next start. May be called again, also during `drain`. */
  close(): Promise<void>;
}
