// The options of a worker's process, and its interface.

import type { WorkerId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { Log } from "../../base/system/log.ts";
import type { Blobs, RemoteMaster, Welcome } from "../../protocol/services.ts";
import type { Tokens } from "../../rpc/access/tokens.ts";
import type { TlsFiles } from "../../rpc/server/http.ts";
import type { Notice } from "./notice.ts";

export interface WorkerNodeOptions {
  /** Connects to the master. It must call `onWelcome` after each handshake. The node closes the connection. */
  readonly connect: (self: {
    readonly worker: WorkerId;
    readonly onWelcome: (welcome: Welcome) => void;
  }) => WorkersMaster;
  /** The work directory, which is created if it is missing. */
  readonly workDir: string;
  /** Number of slots; undefined: one per core, fewer where memory does not suffice. */
  readonly slots: number | undefined;
  /** Bytes for all slots and the memory tier together; undefined: a quarter of the machine's memory. */
  readonly memoryBytes: number | undefined;
  /** Where to listen. Port 0 is any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** The host by which others reach this process. Default: the host that it listens on. */
  readonly advertise?: string | undefined;
  /** The worker's name. Default: the one that this work directory had before, or a random one. */
  readonly name?: WorkerId | undefined;
  readonly tls?: TlsFiles | undefined;
  /** PEM file of the authority that signed the other workers' certificates. Default: the system's. */
  readonly ca?: string | undefined;
  /** The tokens of scope "worker": the first signs, every one is accepted. */
  readonly tokens: Tokens;
  readonly clock?: Clock;
  /** Returns 0 <= x < 1, for jitter. */
  readonly random?: () => number;
  readonly log?: Log;
  /** Where a notice comes from that this machine goes away, and within which time the worker is to be gone then. */
  readonly notice?: { readonly from: Notice; readonly withinMs: number } | undefined;
  /** How long `drain` lets attempts go on, and how long it then serves map outputs that are still needed. */
  readonly drainGraceMs?: number | undefined;
  readonly drainLimitMs?: number | undefined;
  /** Path of the slot's program. Default: `dist/slot.cjs`. */
  readonly slotProgram?: string;
  /** Where a memory directory may be made. Default /dev/shm. */
  readonly memoryRoot?: string;
}

/** The part of a master that a worker calls. */
export interface WorkersMaster extends Pick<RemoteMaster, "hello" | "heartbeat" | "close"> {
  readonly blobs: Pick<Blobs, "get">;
}

export interface WorkerNode {
  readonly id: WorkerId;
  readonly incarnation: number;
  /** The worker's address, such as "http://127.0.0.1:41234". */
  readonly address: string;
  /** Resolves when everything is closed; rejects when the worker can't go on. Its process should end then. */
  readonly ended: Promise<void>;
  /**
   * Takes nothing new, and closes when this worker is no longer needed, or `withinMs` are over. May be called again,
   * also with a shorter time.
   */
  drain(withinMs?: number): Promise<void>;
  /** Kills slots and closes immediately. Runs stay for the next start. May be called again, also during `drain`. */
  close(): Promise<void>;
}
