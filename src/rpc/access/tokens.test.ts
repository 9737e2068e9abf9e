import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findToken, findTokens, forgetToken, rememberToken } from "./find-token.ts";
import { checkSignature, digestOfBody, emptyBody, jobKey, signRequest } from "./signature.ts";
import { randomToken, Secret } from "./token-digest.ts";
import { createTokens, fixedTokens, openTokens, readTokenFile } from "./tokens.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-tokens-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("a secret", () => {
  it("S25: can't be printed, joined, logged or stored by accident", () => {
    const canary = randomToken();
    const texts = [
      String(canary),
      `${canary}`,
      inspect(canary),
      inspect({ deep: [canary] }, { showHidden: true, depth: 9 }),
      JSON.stringify({ canary }),
      JSON.stringify(Object.entries({ canary })),
      Object.keys(canary).join(),
      JSON.stringify(structuredClone({ ...canary })),
    ];
    expect(texts.filter((text) => text.includes(canary.reveal()))).toEqual([]);
    expect(canary.reveal()).toMatch(/^[\w-]{43}$/);
  });
});

describe("token files", () => {
  it("S19: are made with one token each, for their owner only, and kept the next time", () => {
    const path = join(directory, "tokens");
    createTokens(path);
    const tokens = openTokens(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const scopes = ["admin", "submit", "worker", "read"] as const;
    for (const scope of scopes) {
      expect(statSync(join(path, scope)).mode & 0o777).toBe(0o600);
      const token = tokens.all(scope)[0]!;
      expect(tokens.scopeOf(token.reveal(), 0)).toBe(scope);
      expect(readFileSync(join(path, scope), "latin1")).toBe(`${token.reveal()}\n`);
    }
    createTokens(path);
    const again = openTokens(path);
    for (const scope of scopes) expect(again.all(scope)[0]!.reveal()).toBe(tokens.all(scope)[0]!.reveal());
    expect(tokens.scopeOf("", 0)).toBeUndefined();
    expect(tokens.scopeOf(randomToken().reveal(), 0)).toBeUndefined();
  });

  it("are whole or not there: what a crash has left of one that was being made is removed, and is no token", () => {
    const path = join(directory, "tokens");
    mkdirSync(path, { mode: 0o700 });
    const half = randomToken();
    writeFileSync(join(path, ".new-left"), half.reveal().slice(0, 20), { mode: 0o600 });
    createTokens(path);
    const tokens = openTokens(path);
    expect(readdirSync(path).toSorted()).toEqual(["admin", "read", "submit", "worker"]);
    expect(tokens.scopeOf(half.reveal(), 0)).toBeUndefined();
  });

  it.each([0o604, 0o640, 0o660, 0o666, 0o620])("with mode %o is refused, with what to do", (mode) => {
    const path = join(directory, "t");
    writeFileSync(path, `${randomToken().reveal()}\n`);
    chmodSync(path, mode);
    expect(() => readTokenFile(path)).toThrow(/can be read or written by others .* chmod 600/);
  });

  it("that hold something else are refused without repeating it", () => {
    const path = join(directory, "t");
    const bad = (content: string) => {
      writeFileSync(path, content, { mode: 0o600 });
      try {
        readTokenFile(path);
      } catch (error) {
        return String(error);
      }
      throw new Error("accepted");
    };
    expect(bad("")).toMatch(/holds no token/);
    expect(bad(`${randomToken().reveal()}\nmy password\n`)).toMatch(/line 2 of/);
    expect(bad("my password")).not.toContain("password");
    expect(bad("x".repeat(100_000))).toMatch(/not a token file/);
    expect(() => readTokenFile(join(directory, "none"))).toThrow(/there is no such file/);
    expect(() => readTokenFile(directory)).toThrow(/not a token file|can't be read/);
  });

  it("S19: two tokens are valid while one is replaced; a removed one is refused a second later", () => {
    const path = join(directory, "tokens");
    createTokens(path);
    const tokens = openTokens(path);
    const old = tokens.all("submit")[0]!.reveal();
    const next = randomToken().reveal();
    expect(tokens.scopeOf(next, 0)).toBeUndefined();
    appendFileSync(join(path, "submit"), `${next}\n`);
    expect(tokens.scopeOf(next, 999)).toBeUndefined();
    expect(tokens.scopeOf(next, 1000)).toBe("submit");
    expect(tokens.scopeOf(old, 1000)).toBe("submit");
    writeFileSync(join(path, "submit"), `${next}\n`);
    expect(tokens.scopeOf(old, 2000)).toBeUndefined();
    expect(tokens.scopeOf(next, 2000)).toBe("submit");
    chmodSync(join(path, "submit"), 0o644);
    expect(tokens.scopeOf(next, 3000)).toBeUndefined();
    chmodSync(join(path, "submit"), 0o600);
    expect(tokens.scopeOf(next, 4000)).toBe("submit");
    rmSync(join(path, "submit"));
    expect(tokens.scopeOf(next, 5000)).toBeUndefined();
  });
});

describe("finding a token", () => {
  const address = "http://127.0.0.1:7070";
  const env = () => ({ XDG_CONFIG_HOME: join(directory, "config"), HOME: directory });

  it("the option comes before the environment, and both before what a master has left", () => {
    const [a, b, c] = [randomToken(), randomToken(), randomToken()];
    const [given, named] = [join(directory, "a"), join(directory, "b")];
    writeFileSync(given, a.reveal(), { mode: 0o600 });
    writeFileSync(named, b.reveal(), { mode: 0o600 });
    const left = rememberToken(address, c, env());
    expect(left).toBe(join(directory, "config/millrace/tokens/127.0.0.1_7070"));
    expect(statSync(left).mode & 0o777).toBe(0o600);
    const named2 = { ...env(), MILLRACE_TOKEN_FILE: named };
    expect(findToken({ address, tokenFile: given, env: named2 }).reveal()).toBe(a.reveal());
    expect(findToken({ address, env: named2 }).reveal()).toBe(b.reveal());
    expect(findToken({ address, env: env() }).reveal()).toBe(c.reveal());
    expect(findToken({ address: "http://localhost:7070", env: env() }).reveal()).toBe(c.reveal());
    // All masters of a list have the same: that of any of them is taken.
    expect(findToken({ address: `http://a:1,${address}`, env: env() }).reveal()).toBe(c.reveal());
    expect(
      findToken({ address, env: { HOME: directory, XDG_CONFIG_HOME: "relative" }, tokenFile: given }),
    ).toBeDefined();
  });

  it("says where it looked", () => {
    expect(() => findToken({ address, env: env() })).toThrow(
      /there is no token for http:\/\/127\.0\.0\.1:7070: give --token-file PATH .*tokens\/127\.0\.0\.1_7070/,
    );
    expect(() => findToken({ address, env: { HOME: directory } })).toThrow(/\.config\/millrace\/tokens/);
  });

  it("a file that is open to others is an error, not passed over", () => {
    chmodSync(rememberToken(address, randomToken(), env()), 0o644);
    expect(() => findTokens({ address, env: env() })).toThrow(/chmod 600/);
  });

  it("names of hosts can't lead out of the directory", () => {
    for (const host of ["[::1]", "a.example", "%2e%2e"]) {
      const path = rememberToken(`https://${host}`, randomToken(), env());
      expect(path).toMatch(/\/config\/millrace\/tokens\/[^/]+_443$/);
    }
  });

  it("a master forgets its own token only", () => {
    const [mine, other] = [randomToken(), randomToken()];
    rememberToken(address, mine, env());
    rememberToken(address, other, env());
    forgetToken(address, mine, env());
    expect(findToken({ address, env: env() }).reveal()).toBe(other.reveal());
    forgetToken(address, other, env());
    forgetToken(address, other, env());
    expect(() => findToken({ address, env: env() })).toThrow(/there is no token/);
    mkdirSync(join(directory, "x"));
  });
});

describe("signatures", () => {
  const token = new Secret("a".repeat(43));
  const request = {
    method: "POST",
    path: "/v1/segments/j1",
    query: "a=1",
    address: "http://w1:7071",
    body: digestOfBody("one"),
  };
  const at = new Date(1_800_000_000_000);
  const present = (headers: Record<string, string>) => ({
    expires: headers["x-millrace-expires"],
    signature: headers["x-millrace-signature"],
  });

  it("S19: fit their method, path, query, body, worker, expiry and key, and nothing else", () => {
    const key = jobKey(token, "j1");
    const signed = present(signRequest(key, request, at));
    expect(checkSignature([key], request, signed, at)).toBe("ok");
    expect(checkSignature([jobKey(randomToken(), "j1"), key], request, signed, at)).toBe("ok");
    expect(checkSignature([jobKey(token, "j2")], request, signed, at)).toBe("wrong");
    expect(checkSignature([], request, signed, at)).toBe("wrong");
    for (const other of [
      { method: "GET" },
      { path: "/v1/segments/j2" },
      { body: digestOfBody("two") },
      { body: emptyBody },
      { body: "" },
      { address: "http://w2:7071" },
      { address: "http://w1:7072" },
      { query: "a=2" },
      { path: "/v1/segments/j1\na=1", query: "" },
    ])
      expect(checkSignature([key], { ...request, ...other }, signed, at)).toBe("wrong");
    const nothing = { ...request, body: emptyBody };
    const signedNothing = present(signRequest(key, nothing, at));
    expect(checkSignature([key], nothing, signedNothing, at)).toBe("ok");
    expect(checkSignature([key], request, signedNothing, at)).toBe("wrong");
    expect(checkSignature([key], { ...request, address: "http://W1:7071" }, signed, at)).toBe("ok");
    expect(checkSignature([key], request, { ...signed, expires: "1900000000" }, at)).toBe("wrong");
    expect(checkSignature([key], request, { ...signed, expires: "1e99" }, at)).toBe("wrong");
    expect(checkSignature([key], request, { ...signed, signature: undefined }, at)).toBe("missing");
    expect(checkSignature([key], request, { ...signed, signature: "" }, at)).toBe("wrong");
  });

  it("are good for some minutes, also between clocks that differ by two", () => {
    const key = jobKey(token, "j1");
    const signed = present(signRequest(key, request, at));
    const later = (minutes: number) => new Date(at.getTime() + minutes * 60_000);
    const outcomes = [-10, -3, -2, 0, 2, 4, 5, 60].map((minutes) =>
      checkSignature([key], request, signed, later(minutes)),
    );
    expect(outcomes).toEqual(["expired", "expired", "ok", "ok", "ok", "ok", "expired", "expired"]);
  });

  it("the key of a job is the same everywhere, as published for HKDF", () => {
    // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:aaa… -kdfopt salt:millrace-shuffle -kdfopt info:j1 HKDF
    expect(jobKey(token, "j1")).toBe("f8254aed031afc1cb7fe421258c421edb185c11d2dfd55e020a3aa1deed23b9f");
  });
});

it("tokens that are fixed know each scope", () => {
  const worker = randomToken();
  const tokens = fixedTokens({ worker: [worker] });
  expect(tokens.scopeOf(worker.reveal(), 0)).toBe("worker");
  expect(tokens.all("admin")).toEqual([]);
});
