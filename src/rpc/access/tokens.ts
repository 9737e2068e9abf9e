// The tokens that a process accepts, by what they allow. On disk: one file per scope in a directory of the owner's,
//
//   TOKENS/admin  TOKENS/submit  TOKENS/worker  TOKENS/read      0600; one token per line, each of them valid
//
// To change a token without shutting anyone out, put the new one below the old one everywhere, then above it, then
// remove the old one. (The first line is used to sign; every line is accepted.) Files are looked at again while the
// process runs, at most once a second, so a removed token is refused a second later.
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import type { Instant } from "../../base/ids.ts";
import { type Log, noLog } from "../../base/system/log.ts";
import { randomId } from "../../base/system/random.ts";
import { digestOf, randomToken, Secret, sameDigest } from "./token-digest.ts";

export type TokenScope = "read" | "submit" | "worker" | "admin";
export const tokenScopes: readonly TokenScope[] = ["admin", "submit", "worker", "read"];

/** Time between two looks at the files. */
const lookAgainMs = 1000;
const fileBytesMax = 64 * 1024;
/** Begins the names of files being made. */
const newPrefix = ".new-";

export interface Tokens {
  /**
   * The scope of a token; undefined for an unknown one. Takes the same time for every unknown token. Called per
   * request.
   */
  scopeOf(presented: string, now: Instant): TokenScope | undefined;
  /** All valid tokens of a scope, beginning with the one to use. With `now`, the files are looked at again before. */
  all(scope: TokenScope, now?: Instant): readonly Secret[];
}

/** Tokens that don't change: those of a worker, which knows only its own, or of a test. */
export function fixedTokens(tokens: Partial<Readonly<Record<TokenScope, readonly Secret[]>>>): Tokens {
  const table = tokenScopes.map((scope) => ({ scope, tokens: tokens[scope] ?? [] }));
  return new TokenTable(table);
}

/** Creates the files that are missing in a directory of tokens, with one new token each. Throws `io-error`. */
export function createTokens(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const scope of tokenScopes) createTokenFile(directory, scope);
    tidy(directory);
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    const why = systemCode(error) ?? String(error);
    throw new MillraceError("io-error", `the tokens in ${directory} can't be made: ${why}`, { cause: error });
  }
}

/** Opens a directory of tokens. Throws `no-access` where a file is missing, or others could read it. */
export function openTokens(directory: string, log: Log = noLog): Tokens {
  const files = tokenScopes.map((scope) => ({ scope, path: join(directory, scope) }));
  return new TokenTable(
    files.map(({ scope, path }) => ({ scope, path, tokens: readTokenFile(path) })),
    log,
  );
}

/** The tokens of a file that only its owner can read. Throws `no-access` with what to do. */
export function readTokenFile(path: string): readonly Secret[] {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const why = systemCode(error) === "ENOENT" ? "there is no such file" : (systemCode(error) ?? String(error));
    throw new MillraceError("no-access", `the token file ${path} can't be read: ${why}`, { cause: error });
  }
  try {
    const { mode, size } = fstatSync(descriptor);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > fileBytesMax) {
      throw new MillraceError("no-access", `${path} is not a token file: one token per line is expected`);
    }
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, "0");
      throw new MillraceError(
        "no-access",
        `the token file ${path} can be read or written by others (its mode is ${shown}): run chmod 600 on it, and replace its tokens if somebody else may have seen them`,
      );
    }
    return parseTokens(path, readFileSync(descriptor, "latin1"));
  } finally {
    closeSync(descriptor);
  }
}

function parseTokens(path: string, content: string): readonly Secret[] {
  const tokens: Secret[] = [];
  for (const [index, line] of content.split("\n").entries()) {
    const word = line.trim();
    if (word === "") continue;
    // At least 128 bits; tokens made here have 256. The line is not shown, as it may be a token with a typing error.
    if (!/^[\w-]{22,512}$/.test(word)) {
      throw new MillraceError(
        "no-access",
        `line ${index + 1} of the token file ${path} is not a token (22 or more letters, digits, - and _)`,
      );
    }
    tokens.push(new Secret(word));
  }
  if (tokens.length === 0) throw new MillraceError("no-access", `the token file ${path} holds no token`);
  return tokens;
}

/**
 * Makes the file with a new token, or leaves the one that is there. It gets its name once it is whole and durable: a
 * crash leaves none, never a part of one.
 */
function createTokenFile(directory: string, scope: TokenScope): void {
  const path = join(directory, scope);
  if (existsSync(path)) return;
  const temporary = join(directory, `${newPrefix}${randomId()}`);
  try {
    const descriptor = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(descriptor, `${randomToken().reveal()}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    // Another process may make the same file: the first one's stays.
    linkSync(temporary, path);
  } catch (error) {
    if (existsSync(path)) return;
    const isFull = systemCode(error) === "ENOSPC" || systemCode(error) === "EDQUOT";
    throw new MillraceError(
      isFull ? "no-space" : "io-error",
      `the token file ${path} can't be made: ${systemCode(error)}`,
      { cause: error },
    );
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Removes what a crash has left of files being made, and makes the names durable. Called when all files are there. */
function tidy(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith(newPrefix)) rmSync(join(directory, name), { force: true });
  }
  if (process.platform === "win32") return;
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

interface Row {
  readonly scope: TokenScope;
  /** The file; undefined for tokens that are never read again. */
  readonly path?: string;
  tokens: readonly Secret[];
  digests: readonly Buffer[];
  /** The stamp of the file when it was read. */
  seen: string;
}

class TokenTable implements Tokens {
  readonly #rows: readonly Row[];
  readonly #log: Log;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(
    rows: readonly { readonly scope: TokenScope; readonly path?: string; readonly tokens: readonly Secret[] }[],
    log: Log = noLog,
  ) {
    this.#rows = rows.map((row) => ({
      ...row,
      digests: row.tokens.map((token) => digestOf(token.reveal())),
      seen: row.path === undefined ? "" : stamp(row.path),
    }));
    this.#log = log;
  }

  scopeOf(presented: string, now: Instant): TokenScope | undefined {
    this.#lookAgainAt(now);
    const digest = digestOf(presented);
    let found: TokenScope | undefined;
    for (const row of this.#rows) for (const known of row.digests) if (sameDigest(known, digest)) found ??= row.scope;
    return found;
  }

  all(scope: TokenScope, now?: Instant): readonly Secret[] {
    if (now !== undefined) this.#lookAgainAt(now);
    return this.#rows.find((row) => row.scope === scope)?.tokens ?? [];
  }

  #lookAgainAt(now: Instant): void {
    if (now - this.#lookedAt < lookAgainMs) return;
    this.#lookedAt = now;
    this.#lookAgain();
  }

  #lookAgain(): void {
    for (const row of this.#rows) {
      if (row.path === undefined) continue;
      const now = stamp(row.path);
      if (now === row.seen) continue;
      row.seen = now;
      try {
        row.tokens = readTokenFile(row.path);
      } catch (error) {
        // Fails closed: the tokens of a file that is gone, damaged or readable by others are not valid until it is
        // repaired.
        if (!(error instanceof MillraceError)) throw error;
        this.#log.error(
          { file: row.path, scope: row.scope },
          `tokens of a scope are refused from now on: ${error.message}`,
        );
        row.tokens = [];
      }
      row.digests = row.tokens.map((token) => digestOf(token.reveal()));
    }
  }
}

/** A text that differs once the file was changed. */
function stamp(path: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return `${mtimeMs}.${ctimeMs}.${size}.${ino}`;
  } catch {
    return "gone";
  }
}
