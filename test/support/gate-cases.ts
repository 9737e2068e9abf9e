// Every route of a listener, by every method, with every kind of credentials (S27): what the gate must answer, computed
// from a table that a reader can check, and what it did answer, over HTTP/1.1 and HTTP/2 on a real socket.
import { request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { digestOfBody, jobKey, type SignedRequest, signRequest } from "../../src/rpc/access/signature.ts";
import { randomToken, type Secret } from "../../src/rpc/access/token-digest.ts";
import type { TokenScope } from "../../src/rpc/access/tokens.ts";

/** "POST /v1/segments/:job": "job-key" */
export type RouteTable = Readonly<Record<string, string>>;
export type KnownTokens = Partial<Readonly<Record<TokenScope, Secret>>>;

interface Asked {
  readonly protocol: "1.1" | "2";
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the gate has done: "passed", or the status it refused with. */
type Verdict = "passed" | number;

export interface GateCase extends Asked {
  readonly name: string;
  readonly expected: Verdict;
}

const methods = { "1.1": ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"], "2": ["GET", "PUT", "POST"] };
const mayUse: Readonly<Record<TokenScope, readonly string[]>> = {
  read: ["read"],
  submit: ["read", "submit"],
  worker: ["read", "worker"],
  admin: ["read", "submit", "worker", "admin"],
};

/** `port` goes into Host headers. */
export function gateCases(table: RouteTable, tokens: KnownTokens, port: number): GateCase[] {
  const cases: GateCase[] = [];
  const routes = Object.entries(table).map(([line, scope]) => {
    const [method, pattern] = line.split(" ") as [string, string];
    return { method, pattern, scopes: scope.split("|") };
  });
  const paths = new Set(routes.map(({ pattern }) => pattern));
  const strongest = tokens.admin ?? tokens.worker;
  const bearer = (token: Secret) => ({ authorization: `Bearer ${token.reveal()}` });
  for (const protocol of ["1.1", "2"] as const) {
    for (const pattern of [...paths, "/", "/nothing", "/v1/../healthz", "//healthz"]) {
      const path = pattern.replace(":sha256", "a".repeat(64)).replace(/:\w+/g, "j1");
      for (const method of methods[protocol]) {
        const scopes = routes.find(
          (route) =>
            route.pattern === pattern && (route.method === method || (route.method === "GET" && method === "HEAD")),
        )?.scopes;
        const isOpen = scopes?.includes("open") ?? false;
        const withToken = paths.has(pattern) ? 405 : 404;
        const add = (name: string, headers: Record<string, string>, expected: Verdict, sent = path) =>
          cases.push({
            name: `${name}: ${method} ${sent} by HTTP/${protocol}`,
            protocol,
            method,
            path: sent,
            headers,
            expected,
          });
        const own = `127.0.0.1:${port}`;
        add("no token", {}, isOpen ? "passed" : 401);
        add("a wrong token", bearer(randomToken()), isOpen ? "passed" : 401);
        add("a token as a password", { authorization: `Basic ${strongest!.reveal()}` }, isOpen ? "passed" : 401);
        for (const [scope, token] of Object.entries(tokens) as [TokenScope, Secret][]) {
          const suffices = isOpen || scopes?.some((wanted) => mayUse[scope].includes(wanted));
          // A signed route is not opened by a token, not even by the strongest.
          const refused = scopes?.includes("job-key") ? 401 : 403;
          add(`scope ${scope}`, bearer(token), scopes === undefined ? withToken : suffices ? "passed" : refused);
        }
        for (const [name, headers] of Object.entries<Record<string, string>>({
          "foreign Host": { host: "evil.example" },
          "Host of another that begins alike": { host: "127.0.0.1.evil.example" },
          "foreign Origin": { host: own, origin: "http://evil.example" },
          "null Origin": { host: own, origin: "null" },
          "Origin of another port": { host: own, origin: "http://127.0.0.1:1" },
          "another site's fetch": { host: own, "sec-fetch-site": "cross-site" },
        })) {
          add(name, { ...bearer(strongest!), ...headers }, 403);
        }
        add(
          "own Origin",
          { ...bearer(strongest!), host: own, origin: `http://${own}` },
          verdictOf(scopes, tokens, withToken),
        );
        add(
          "a name of this machine",
          { ...bearer(strongest!), host: "localhost:1" },
          verdictOf(scopes, tokens, withToken),
        );
        if (pattern.startsWith("/v1") || pattern.startsWith("/millrace")) {
          add("double-encoded path", bearer(strongest!), 404, path.replace("/v1", "/%2576%31").replace("/m", "/%256d"));
          add("encoded path", bearer(strongest!), 404, path.replace("/v1", "/%76%31").replace("/m", "/%6d"));
        }
        if (tokens.worker !== undefined && path.includes("/j1")) {
          const passes = scopes?.includes("job-key") ? "passed" : 401;
          const [plain, query] = [path, ""];
          const address = `http://${own}`;
          const sent = digestOfBody(method === "POST" ? "{}" : "");
          const key = jobKey(tokens.worker, "j1");
          const now = new Date();
          const sign = (k: string, at: Date, what: Partial<SignedRequest> = {}) =>
            signRequest(k, { method, path: plain, query, address, body: sent, ...what }, at);
          add("signed", sign(key, now), passes);
          add("signed an hour ago", sign(key, new Date(now.getTime() - 3_600_000)), 401);
          add("signed for ever", sign(key, new Date(now.getTime() + 86_400_000)), 401);
          add("signed with another job's key", sign(jobKey(tokens.worker, "j2"), now), 401);
          add("signed for another method", sign(key, now, { method: "GETS" }), 401);
          add("signed for another path", sign(key, now, { path: "/v1/other/j1" }), 401);
          add("signed for another worker", sign(key, now, { address: "http://127.0.0.1:1" }), 401);
          add(
            "signed for another worker, and its Host",
            { ...sign(key, now, { address: "http://127.0.0.1:1" }), host: "127.0.0.1:1" },
            401,
          );
          add("signed, with a query that was not", sign(key, now), 401, `${path}?x=1`);
          add("half a signature", { "x-millrace-signature": sign(key, now)["x-millrace-signature"]! }, 401);
        }
      }
    }
  }
  return cases;
}

function verdictOf(scopes: readonly string[] | undefined, tokens: KnownTokens, withToken: number): Verdict {
  if (scopes === undefined) return withToken;
  if (scopes.includes("open")) return "passed";
  const strongest = tokens.admin === undefined ? "worker" : "admin";
  if (scopes.some((scope) => mayUse[strongest].includes(scope))) return "passed";
  return scopes.includes("job-key") ? 401 : 403;
}

/** Far longer than any answer takes, long polls among them. */
const answerMs = 15_000;

/** Asks from an address of its own each time, so that no caller is told to wait for the failures of others. */
export class Asker {
  readonly #port: number;
  #count = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** The verdict on a request; "no answer" where it is not answered. */
  async verdict(asked: Asked): Promise<Verdict | "no answer"> {
    const answer = asked.protocol === "1.1" ? this.#http1(asked) : this.#http2(asked);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), answerMs);
    });
    const found = await Promise.race([answer, late]);
    clearTimeout(timer);
    if (found === undefined) return "no answer";
    return found.refused ? found.status : "passed";
  }

  #nextAddress(): string {
    this.#count++;
    return `127.1.${this.#count >> 8}.${this.#count & 255}`;
  }

  #http1({ method, path, headers }: Asked): Promise<{ status: number; refused: boolean }> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: "127.0.0.1",
          port: this.#port,
          localAddress: this.#nextAddress(),
          method,
          path,
          headers: { "content-type": "application/json", ...headers },
          agent: false,
        },
        (response) => {
          response.resume();
          response.once("close", () => {});
          resolve({ status: response.statusCode!, refused: response.headers["x-millrace-error"] !== undefined });
          request.destroy();
        },
      );
      request.once("error", reject);
      request.end(method === "POST" ? "{}" : undefined);
    });
  }

  #http2({ method, path, headers }: Asked): Promise<{ status: number; refused: boolean }> {
    return new Promise((resolve, reject) => {
      const session = connect(`http://127.0.0.1:${this.#port}`, { localAddress: this.#nextAddress() } as object);
      session.on("error", reject);
      const { host, ...others } = headers;
      const request = session.request({
        "content-type": "application/json",
        ...others,
        ":method": method,
        ":path": path,
        ...(host === undefined ? {} : { ":authority": host }),
      });
      request.once("response", (head) => {
        resolve({ status: Number(head[":status"]), refused: head["x-millrace-error"] !== undefined });
        session.destroy();
      });
      request.once("error", reject);
      if (method === "POST") request.end("{}");
      else request.end();
    });
  }
}

/** Asks all, some at once; gives those that were not answered as they must be. */
export async function wrongVerdicts(cases: readonly GateCase[], port: number): Promise<string[]> {
  const asker = new Asker(port);
  const wrong: string[] = [];
  let next = 0;
  const work = async () => {
    for (;;) {
      const one = cases[next++];
      if (one === undefined) return;
      const found = await asker.verdict(one);
      if (found !== one.expected) wrong.push(`${one.name}: ${found} instead of ${one.expected}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return wrong;
}
