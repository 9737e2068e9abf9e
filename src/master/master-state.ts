// Everything that a master keeps, and where: in a directory of its own, or where other masters see it.
import { statfs } from "node:fs/promises";
import type { StateStore } from "../state/store.ts";

export interface MasterState {
  /** The directory that fills up, for messages. */
  readonly path: string;
  readonly store: StateStore;
  /** Whether another master may lead while this one still runs. */
  readonly isShared: boolean;
  readonly blobs: string;
  readonly history: string;
  readonly tokens: string;
  /** Returns the size of the store; undefined: it is not on a disk of this machine. */
  readonly storeBytes?: () => Promise<number>;
  /** Tells scripts that the master leads. Undefined: there is no file for that. */
  readonly ready?: (content: Readonly<Record<string, unknown>>) => void;
  close(): Promise<void>;
}

export async function freeBytesOf({ path }: MasterState): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
