// The token files of this user: while a master runs, commands and workers on its machine find their tokens there by its
// address.
import { join } from "node:path";
import type { Log } from "../base/system/log.ts";
import type { Secret } from "../base/value/secret.ts";
import { forgetToken, rememberToken } from "../rpc/access/find-token.ts";
import type { Tokens } from "../rpc/access/tokens.ts";
import type { MasterState } from "./master-state.ts";

export interface ShownTokens {
  readonly address: string;
  readonly tokens: Tokens;
  readonly state: MasterState;
  readonly log: Log;
}

/**
 * Writes the token files, and returns the one for commands of this user. A home directory that can't be written to is
 * no reason to end: commands can be given the token's file.
 */
export function showTokens({ address, tokens, state, log }: ShownTokens): { file: string; remove: () => void } {
  const admin = tokens.all("admin")[0]!;
  const worker = tokens.all("worker")[0]!;
  const file = remembered({ address, admin, worker, state, log });
  const remove = () => {
    forgetToken(address, admin);
    forgetToken(address, worker, undefined, "worker");
  };
  return { file, remove };
}

function remembered(master: { address: string; admin: Secret; worker: Secret; state: MasterState; log: Log }): string {
  const { address, admin, worker, state, log } = master;
  try {
    rememberToken(address, worker, undefined, "worker");
    return rememberToken(address, admin);
  } catch (error) {
    log.warn({ error: String(error) }, "the token file for commands of this user can't be written: give --token-file");
    return join(state.tokens, "admin");
  }
}
