// What a master keeps where the masters that may follow it see it too: the state in a store that several processes
// reach, bundles and event logs in a directory that is mounted on all of them, and tokens that all have the same.
//
//   BLOBS/blobs/      bundles and side files (blobs.ts)
//   BLOBS/history/    event logs, one per job and leadership (history.ts)
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { openStateStore, type StateStoreOptions } from "../state/open.ts";
import type { StateStore } from "../state/store.ts";
import type { MasterState } from "./master-state.ts";

export interface SharedStateOptions {
  /** The store as it was named, for messages. */
  readonly name: string;
  readonly open: () => Promise<StateStore>;
  /** The directory of the token files, which all masters have the same. */
  readonly tokens: string | undefined;
  /** The directory for bundles and event logs, which all masters see. */
  readonly blobs: string | undefined;
}

/** What opens the store of a URL. */
export function storeOf(url: string, options: StateStoreOptions): () => Promise<StateStore> {
  return () => openStateStore(url, options);
}

/** Throws `wrong-usage` where a directory is not named, `io-error`, and what opening the store throws. */
export async function openSharedState({ name, open, tokens, blobs }: SharedStateOptions): Promise<MasterState> {
  if (tokens === undefined) {
    throw new MillraceError(
      "wrong-usage",
      `a master with --state ${name} needs --tokens DIR: make the directory once, by millrace token new DIR, and copy it to each master`,
    );
  }
  if (blobs === undefined) {
    throw new MillraceError(
      "wrong-usage",
      `a master with --state ${name} needs --blobs DIR: a directory for bundles and event logs that all masters see`,
    );
  }
  const path = resolve(blobs);
  try {
    for (const folder of ["blobs", "history"]) mkdirSync(join(path, folder), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new MillraceError("io-error", `--blobs ${path} can't be made or read: ${systemCode(error)}`, {
      cause: error,
    });
  }
  const store = await open();
  return {
    path,
    store,
    isShared: true,
    blobs: join(path, "blobs"),
    history: join(path, "history"),
    tokens: resolve(tokens),
    close: () => store.close(),
  };
}
