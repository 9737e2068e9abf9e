// Finds the token of a command or a worker in a file, so that it never stands in arguments, environment or addresses
// (S19):
//
//   --token-file PATH  >  MILLRACE_TOKEN_FILE (a path)  >  ${XDG_CONFIG_HOME:-~/.config}/millrace/tokens/<host>_<port>
//
// A master writes the last one for its user when it starts, so that commands on the same machine need none of the
// others. Beside it, with ".worker" at the end, is the token for workers. Keys are derived from that one, so all
// workers of a cluster must have the same.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import { parseAddress, parseAddresses } from "../client/address.ts";
import type { Secret } from "./token-digest.ts";
import { readTokenFile } from "./tokens.ts";

export interface Environment {
  readonly MILLRACE_TOKEN_FILE?: string | undefined;
  readonly XDG_CONFIG_HOME?: string | undefined;
  readonly HOME?: string | undefined;
}

export interface TokenLookup {
  /**
   * The master's address, such as "https://m1:7070", or those of all masters with commas between: they have the same
   * tokens.
   */
  readonly address: string;
  /** The file that `--token-file` names. */
  readonly tokenFile?: string | undefined;
  /** Whose token to find. Default "client". */
  readonly role?: TokenRole;
  /** Environment variables. Default: those of this process. */
  readonly env?: Environment;
}

export type TokenRole = "client" | "worker";

/** The first token of the file. Throws `no-access`, saying where a token was looked for. */
export function findToken(place: TokenLookup): Secret {
  return findTokens(place)[0]!;
}

/**
 * All tokens of the file, beginning with the one to use. A worker accepts requests that are signed with any of them.
 */
export function findTokens({ address, tokenFile, role = "client", env = process.env }: TokenLookup): readonly Secret[] {
  const given = tokenFile ?? (env.MILLRACE_TOKEN_FILE === "" ? undefined : env.MILLRACE_TOKEN_FILE);
  if (given !== undefined) return readTokenFile(resolve(given));
  const places = parseAddresses(address).flatMap((each) =>
    hostsOf(parseAddress(each)).map((host) => tokenPath(host, portOf(each), role, env)),
  );
  for (const path of places) {
    try {
      return readTokenFile(path);
    } catch (error) {
      if (!(error instanceof MillraceError) || systemCode(error.cause) !== "ENOENT") throw error;
    }
  }
  throw new MillraceError(
    "no-access",
    `there is no token for ${address}: give --token-file PATH (or MILLRACE_TOKEN_FILE) with a copy of one of the files in the master's STATE/tokens; on the master's machine its user finds one in ${places[0]}, written when the master starts`,
  );
}

/** Writes the file that commands of the same user find (0600), and returns its path. */
export function rememberToken(
  address: string,
  token: Secret,
  env: Environment = process.env,
  role: TokenRole = "client",
): string {
  const { hostname } = parseAddress(address);
  const path = tokenPath(plainHost(hostname), portOf(address), role, env);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.${process.pid}`;
  rmSync(next, { force: true });
  writeFileSync(next, `${token.reveal()}\n`, { mode: 0o600, flag: "wx" });
  renameSync(next, path);
  return path;
}

/** Removes what `rememberToken` wrote, unless another master has written its own since. */
export function forgetToken(
  address: string,
  token: Secret,
  env: Environment = process.env,
  role: TokenRole = "client",
): void {
  const path = tokenPath(plainHost(parseAddress(address).hostname), portOf(address), role, env);
  try {
    if (readFileSync(path, "latin1").trim() === token.reveal()) rmSync(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

function portOf(address: string): string {
  const { port, protocol } = parseAddress(address);
  if (port !== "") return port;
  return protocol === "https:" ? "443" : "80";
}

/** The hosts to look under: "localhost" also finds the file of a master on 127.0.0.1 or ::1. */
function hostsOf({ hostname }: URL): readonly string[] {
  return hostname === "localhost" ? ["localhost", "127.0.0.1", "--1"] : [plainHost(hostname)];
}

/** A host as part of a file's name: "[::1]" becomes "--1". */
function plainHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/[^\w.-]/g, "-");
}

function tokenPath(host: string, port: string, role: TokenRole, env: Environment): string {
  const config = env.XDG_CONFIG_HOME?.startsWith("/") ? env.XDG_CONFIG_HOME : join(env.HOME ?? homedir(), ".config");
  return join(config, "millrace", "tokens", `${host}_${port}${role === "worker" ? ".worker" : ""}`);
}
