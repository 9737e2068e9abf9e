// Opens the state store that a URL names: the one place that knows which stores there are. What lies beside a store in
// the same directory is written down in docs/state.md.
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";
import type { EtcdStoreOptions } from "./etcd/store.ts";
import type { LevelStoreOptions } from "./leveldb.ts";
import type { StateStore } from "./store.ts";

/** What a store has no use for is ignored. */
export type StateStoreOptions = LevelStoreOptions & EtcdStoreOptions;

type Open = (rest: string, options: StateStoreOptions) => Promise<StateStore>;

/** By scheme; a path without one is LevelDB's. */
const schemes: Readonly<Record<string, Open>> = {
  // Each is loaded only where it is asked for; memory is for tests and simulations.
  leveldb: async (directory, options) => (await import("./leveldb.ts")).openLevelStore(directory, options),
  etcd: async (rest, options) => (await import("./etcd/store.ts")).openEtcdStore(rest, options),
  memory: async () => (await import("./memory.ts")).createMemoryStore(),
};

/**
 * Opens the store of "leveldb:DIR" or of the plain path "DIR", of "etcd://HOST:PORT,HOST:PORT/PREFIX", or a new one of
 * "memory:". Throws `wrong-usage` for any other scheme, and as the stores do: `state-busy`, `corrupt-state`, `io-error`
 * and `missing-package`; `unreachable`, `no-access` and `not-supported`.
 */
export async function openStateStore(url: string, options: StateStoreOptions = {}): Promise<StateStore> {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(url) ?? [undefined, "leveldb", url];
  const name = scheme.toLowerCase();
  const open = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  if (open === undefined) {
    throw new MillraceError(
      "wrong-usage",
      `${excerptOf(url)}: there is no state store of the scheme ${name}: give leveldb:DIR, the path of a directory, or etcd://HOST:PORT`,
    );
  }
  if (name === "leveldb" && rest.trim() === "")
    throw new MillraceError("wrong-usage", "the state store needs a directory: leveldb:DIR, or its path");
  return await open(rest, options);
}
