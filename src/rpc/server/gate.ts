// The one gate in front of every route and method of a listener (S2, S12): before it has let a request pass, no byte of
// the body is read, and no handler runs. It looks at
//
//   1. Host and Origin: a page in a browser must not talk to this process, by whatever name it found it (DNS rebinding,
//      S11);
//   2. the token, or the signature with a job's key, and whether its scope suffices for the route.
//
// An address that has failed too often is told to wait. A right token always passes: wrong ones, sent by others on the
// same machine or behind the same address, must not lock its owner out, and 256 bits can't be guessed at any rate.
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import type { Clock } from "../../base/system/clock.ts";
import { type Log, noLog } from "../../base/system/log.ts";
import { bodyHeader, checkSignature, expiresHeader, jobKey, signatureHeader } from "../access/signature.ts";
import type { TokenScope, Tokens } from "../access/tokens.ts";
import type { Scope } from "./http.ts";

export interface GateOptions {
  readonly tokens: Tokens;
  readonly clock: Clock;
  /** The time by which signatures are checked; a worker uses its master's. Default: the clock's. */
  readonly date?: () => Date;
  readonly log?: Log;
}

/** Where the listener is. */
export interface ListenerAddress {
  readonly isLoopback: boolean;
  /** The address by which others reach it. Signatures are valid for this address only. */
  readonly address: string;
}

/** A request's head, which is all that the gate sees. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as they were sent; `query` without "?". */
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they were sent: `headers` keeps only one of two Hosts. */
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly isEncrypted: boolean;
}

export interface Refusal {
  readonly status: 400 | 401 | 403 | 429;
  readonly message: string;
}

/** The scopes that a token of each kind holds. */
const holds: Readonly<Record<TokenScope, readonly Scope[]>> = {
  read: ["read"],
  submit: ["read", "submit"],
  worker: ["read", "worker"],
  admin: ["read", "submit", "worker", "admin"],
};

export class Gate {
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #date: () => Date;
  readonly #log: Log;
  readonly #failures: FailureLimit;

  constructor({ tokens, clock, date = () => clock.date(), log = noLog }: GateOptions) {
    this.#tokens = tokens;
    this.#clock = clock;
    this.#date = date;
    this.#log = log;
    this.#failures = new FailureLimit(clock);
  }

  /** Whether there is any token at all. */
  get hasTokens(): boolean {
    return (["admin", "submit", "worker", "read"] as const).some((scope) => this.#tokens.all(scope).length > 0);
  }

  /**
   * Why a request may not pass; undefined: it may. For a path without a route any token is enough: callers without one
   * learn nothing about which paths exist.
   */
  check(
    head: RequestHead,
    { scopes, job, place }: { scopes: readonly Scope[]; job: string | undefined; place: ListenerAddress },
  ): Refusal | undefined {
    if (hasTwoHosts(head)) return { status: 400, message: "a request names one host" };
    const foreign = place.isLoopback ? (foreignHost(head) ?? foreignOrigin(head)) : foreignOrigin(head);
    if (foreign !== undefined) return { status: 403, message: foreign };
    if (scopes.includes("open")) return undefined;
    const refusal = this.#checkScope(head, { scopes, job, address: place.address });
    if (refusal?.status === 401 && !this.#failures.note(head.remoteAddress)) {
      return { status: 429, message: "too many requests without a valid token from this address: wait a second" };
    }
    if (refusal !== undefined) {
      const { method, path, remoteAddress } = head;
      this.#log.warn({ method, path: path.slice(0, 200), remoteAddress, status: refusal.status }, refusal.message);
    }
    return refusal;
  }

  #checkScope(
    head: RequestHead,
    { scopes, job, address }: { scopes: readonly Scope[]; job: string | undefined; address: string },
  ): Refusal | undefined {
    const { authorization } = head.headers;
    if (authorization !== undefined) {
      const token = /^Bearer ([\w-]{1,512})$/i.exec(authorization)?.[1] ?? "";
      const scope = this.#tokens.scopeOf(token, this.#clock.now());
      if (scope === undefined) return { status: 401, message: "the token is not one of this cluster's" };
      if (scopes.length === 0 || scopes.some((wanted) => holds[scope].includes(wanted))) return undefined;
      if (!scopes.includes("job-key")) {
        return {
          status: 403,
          message: `a token of scope "${scope}" does not allow this: it needs "${scopes.join('" or "')}"`,
        };
      }
    }
    if (!scopes.includes("job-key") || job === undefined) {
      return { status: 401, message: "a token is needed (Authorization: Bearer)" };
    }
    const keys = this.#tokens.all("worker").map((token) => jobKey(token, job));
    const presented = { expires: only(head.headers[expiresHeader]), signature: only(head.headers[signatureHeader]) };
    const { method, path, query, headers } = head;
    const signed = { method, path, query, address, body: only(headers[bodyHeader]) ?? "" };
    switch (checkSignature(keys, signed, presented, this.#date())) {
      case "ok":
        return undefined;
      case "missing":
        return { status: 401, message: "a signature with the job's key is needed" };
      case "wrong":
        return { status: 401, message: "the signature is not one with this job's key" };
      case "expired":
        return {
          status: 401,
          message: "the signature has expired, or the clock of one of the two machines was changed",
        };
    }
  }
}

function only(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : undefined;
}

/** Whether a request names two hosts: a proxy and the server behind it could each believe another one. */
function hasTwoHosts({ rawHeaders, headers }: RequestHead): boolean {
  const names = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]!.toLowerCase() === "host");
  if (names.length > 1) return true;
  const authority = only(headers[":authority"]);
  return authority !== undefined && names.some((name) => name.toLowerCase() !== authority.toLowerCase());
}

/**
 * What is wrong with the host name of a request to a loopback listener; undefined: nothing. Any port is fine, for
 * tunnels.
 */
function foreignHost({ headers }: RequestHead): string | undefined {
  const names = [headers.host, only(headers[":authority"])].filter((name) => name !== undefined);
  if (names.length === 0) return "a request needs a Host";
  for (const name of names) {
    const host = /^(\[[\da-f:.]+\]|[^:]*)(:\d+)?$/i.exec(name)?.[1] ?? "";
    if (!isLoopbackName(host))
      return "this process is only reached by a name of this machine itself (localhost, 127.0.0.1)";
  }
  return undefined;
}

/** What is wrong with a request that a browser made for another site's page; undefined: nothing. */
function foreignOrigin({ headers, isEncrypted }: RequestHead): string | undefined {
  const message = "requests of another site's pages are refused";
  const host = only(headers[":authority"]) ?? headers.host ?? "";
  if (headers.origin !== undefined && headers.origin !== `${isEncrypted ? "https" : "http"}://${host}`) return message;
  const site = only(headers["sec-fetch-site"]);
  return site === undefined || site === "same-origin" || site === "none" ? undefined : message;
}

/** Whether a name is loopback's: "localhost", "127.0.0.1", "::1" or "[::1]". */
export function isLoopbackName(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return (
    bare === "localhost" ||
    bare === "::1" ||
    bare === "::ffff:127.0.0.1" ||
    (isIP(bare) === 4 && bare.startsWith("127."))
  );
}

/** Limits failures per address: a number at once, then one a second. It holds at most some thousand addresses. */
class FailureLimit {
  static readonly #burst = 20;
  static readonly #perMs = 1 / 1000;
  static readonly #addressesMax = 4096;
  readonly #clock: Clock;
  readonly #left = new Map<string, { left: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a failure. Returns false when the address has too many. */
  note(address: string): boolean {
    const now = this.#clock.now();
    const before = this.#left.get(address) ?? { left: FailureLimit.#burst, at: now };
    const left = Math.min(FailureLimit.#burst, before.left + (now - before.at) * FailureLimit.#perMs);
    this.#left.delete(address);
    this.#left.set(address, { left: Math.max(0, left - 1), at: now });
    for (const oldest of this.#left.keys()) {
      if (this.#left.size <= FailureLimit.#addressesMax) break;
      this.#left.delete(oldest);
    }
    return left >= 1;
  }
}
