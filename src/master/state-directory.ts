// The directory in which a master keeps everything, accessible to its owner only (S16):
//
//   STATE/store/        the state store; its lock says which process is the master
//   STATE/blobs/        bundles and side files (blobs.ts)
//   STATE/history/      event logs (history.ts)
//   STATE/tokens/       one file per scope (rpc/access/tokens.ts), unless they lie elsewhere (--tokens)
//   STATE/owner.json    which process has the lock, for the message of another one that wants it
//   STATE/ready.json    there while the master leads and answers: its address, for scripts that wait
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { createTokens } from "../rpc/access/tokens.ts";
import { openStateStore } from "../state/open.ts";
import type { StateStore } from "../state/store.ts";
import type { MasterState } from "./master-state.ts";

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/**
 * Opens the directory. Throws `state-busy`, which names the process that has it, `corrupt-state`, `wrong-usage` and
 * `io-error`.
 */
export async function openStateDirectory(
  directory: string,
  owner: Owner,
  tokens: string | undefined,
): Promise<MasterState> {
  const path = resolve(directory);
  makePrivate(path);
  const at = (name: string) => join(path, name);
  let store: StateStore;
  try {
    store = await openStateStore(at("store"), {
      spareBytes: limits.stateSpareBytes,
      who: "a master",
      mend: `Restore the directory from a copy of the whole, or move it away and start a master with an empty one: jobs that were running have to be submitted again`,
    });
  } catch (error) {
    throw named(path, error);
  }
  rmSync(at("ready.json"), { force: true });
  if (tokens === undefined) createTokens(at("tokens"));
  writeFileSync(at("owner.json"), JSON.stringify(owner), { mode: 0o600 });
  return {
    path,
    store,
    isShared: false,
    blobs: at("blobs"),
    history: at("history"),
    tokens: tokens === undefined ? at("tokens") : resolve(tokens),
    async storeBytes() {
      let bytes = 0;
      // LevelDB may remove files at any time.
      for (const name of await readdir(at("store"))) bytes += (await stat(join(at("store"), name)).catch(noSize)).size;
      return bytes;
    },
    ready(content) {
      const temporary = at(".ready.json");
      writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600 });
      renameSync(temporary, at("ready.json"));
    },
    async close() {
      rmSync(at("ready.json"), { force: true });
      rmSync(at("owner.json"), { force: true });
      await store.close();
    },
  };
}

function noSize(error: unknown): { readonly size: number } {
  if (systemCode(error) === "ENOENT") return { size: 0 };
  throw error;
}

/** Creates the directory, or takes an existing state directory. Refuses a directory with other content. */
function makePrivate(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const names = readdirSync(path);
    if (names.length > 0 && !names.includes("store")) {
      throw new MillraceError(
        "wrong-usage",
        `${path} holds other things than a master's state (${names.slice(0, 3).join(", ")}): give --state an empty directory or a new one`,
      );
    }
    const { uid, mode } = statSync(path);
    if (process.getuid !== undefined && uid !== process.getuid()) {
      throw new MillraceError("wrong-usage", `${path} belongs to another user: start the master as that user`);
    }
    if ((mode & 0o077) !== 0) chmodSync(path, 0o700);
    mkdirSync(join(path, "store"), { recursive: true, mode: 0o700 });
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    const code = systemCode(error) ?? String(error);
    // There is a file where the folder or one of its parents should be, so trying again does not help.
    const kind = code === "EEXIST" || code === "ENOTDIR" ? "wrong-usage" : "io-error";
    throw new MillraceError(kind, `the state directory ${path} can't be made or read: ${code}`, { cause: error });
  }
}

/** Names the process that has the lock, by the number that it has written down. */
function named(path: string, error: unknown): unknown {
  if (!(error instanceof MillraceError) || error.code !== "state-busy") return error;
  const owner = readOwner(path);
  const who = owner === undefined ? "another process" : `process ${owner.pid} on ${owner.host}, since ${owner.since},`;
  return new MillraceError(
    "state-busy",
    `${who} is the master of ${path} already: a state directory has one master. Stop that one first, or give --state another directory`,
    { cause: error },
  );
}

function readOwner(path: string): Owner | undefined {
  try {
    const read = JSON.parse(readFileSync(join(path, "owner.json"), "utf8")) as Partial<Owner>;
    const { pid, host, since } = read;
    if (typeof pid === "number" && typeof host === "string" && typeof since === "string") return { pid, host, since };
  } catch {
    // it is being written, or gone with its process
  }
  return undefined;
}
