// The store against real members of etcd, where it is installed: leaders that die or stand still, members that die,
// users and TLS.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { type EtcdCluster, etcdIsMissing, startEtcd } from "../../../test/support/etcd.ts";
import { openStateStore } from "../open.ts";
import type { Change, StateStore } from "../store.ts";

const never = new AbortController().signal;
const put = (key: string, value: string): Change => ({ put: { key, value: Buffer.from(value) } });

async function all(store: StateStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of store.scan("")) found[key] = Buffer.from(value).toString();
  return found;
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: "pipe", env: { ...process.env, ETCDCTL_API: "3" } });
}

describe.skipIf(etcdIsMissing !== undefined)(`with etcd ${etcdIsMissing ?? ""}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-etcd-cluster-"));
  const open: { close(): Promise<void> }[] = [];
  const opened = <T extends { close(): Promise<void> }>(what: T): T => {
    open.push(what);
    return what;
  };
  afterAll(async () => {
    for (const what of open.toReversed()) await what.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("fault 33: three members: commits go on when etcd's leader dies, and nothing of them is lost", async () => {
    const etcd = opened(await startEtcd({ members: 3 }));
    const store = opened(await openStateStore(`etcd://${etcd.clients}`));
    const leading = await store.lead("a", never);
    await leading.commit([put("k/before", "v")]);
    const victim = leaderOf(etcd);
    await etcd.kill(victim);
    for (let index = 0; index < 20; index++) await leading.commit([put(`k/${index}`, String(index))]);
    expect(leading.lost.aborted).toBe(false);
    const other = opened(await openStateStore(`etcd://${etcd.clients}`));
    expect(Object.keys(await all(other))).toHaveLength(21);
    expect(await other.leader()).toMatchObject({ owner: "a", epoch: leading.epoch });
    await etcd.start(victim);
  }, 120_000);

  describe("one member", () => {
    let etcd: EtcdCluster;
    const member = async () => (etcd ??= opened(await startEtcd()));

    test.each(["SIGKILL", "SIGSTOP"] as const)(
      "fault 33: a leader that gets %s is followed, and writes no more",
      async (signal) => {
        const { clients } = await member();
        const url = `etcd://${clients}/${signal}`;
        const leader = leaderProcess(url, folder);
        const store = opened(await openStateStore(url));
        await leader.said("leads");
        const waiting = store.lead("b", never);
        leader.process.kill(signal);
        const next = await waiting;
        await next.commit([put("next", "b")]);
        const before = await all(store);
        if (signal === "SIGSTOP") {
          leader.process.kill("SIGCONT");
          await leader.said("refused not-leader true");
          leader.process.kill("SIGKILL");
        }
        expect(Number(before.count)).toBeGreaterThan(0);
        expect(await all(store)).toEqual(before);
        await next.commit([put("after", "b")]);
      },
      120_000,
    );

    test("what etcd limits is no limit of the store", async () => {
      const { clients } = await member();
      const store = opened(await openStateStore(`etcd://${clients}/limits`));
      const leading = await store.lead("a", never);
      const large = Buffer.alloc(3_060_941, "0123456789");
      await leading.commit([
        ...Array.from({ length: 300 }, (_, index) => put(`k/${index % 150}`, String(index))),
        { put: { key: "large", value: large } },
        ...Array.from({ length: 6 }, (_, index) => put(`wide/${index}`, "x".repeat(500_000))),
        put("large", "small"),
        { put: { key: "large", value: large } },
      ]);
      const found = await all(store);
      expect(Object.keys(found)).toHaveLength(157);
      expect(found["k/0"]).toBe("150");
      expect(found.large === large.toString()).toBe(true);
    });

    test("a scan of many large records after many small ones asks for fewer at once", async () => {
      const { clients } = await member();
      const store = opened(await openStateStore(`etcd://${clients}/pages`));
      const leading = await store.lead("a", never);
      await leading.commit(Array.from({ length: 3000 }, (_, index) => put(`a/${index}`, "")));
      await leading.commit(Array.from({ length: 60 }, (_, index) => put(`b/${index}`, "x".repeat(400_000))));
      const found = await all(store);
      expect(Object.keys(found)).toHaveLength(3060);
      expect(Object.values(found).reduce((sum, value) => sum + value.length, 0)).toBe(24_000_000);
    });
  });

  test("TLS 1.3, a certificate of one's own, and a user with rights on one prefix are enough", async () => {
    const at = (name: string) => join(folder, name);
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    run("openssl", ["req", "-x509", ...key, "-keyout", at("key.pem"), "-out", at("cert.pem"), ...subject]);
    const files = ["--cert-file", at("cert.pem"), "--key-file", at("key.pem"), "--trusted-ca-file", at("cert.pem")];
    const etcd = opened(await startEtcd({ scheme: "https", args: [...files, "--client-cert-auth"] }));
    const tls = ["--cacert", at("cert.pem"), "--cert", at("cert.pem"), "--key", at("key.pem")];
    const etcdctl = (...args: string[]) => run("etcdctl", ["--endpoints", `https://${etcd.clients}`, ...tls, ...args]);
    etcdctl("user", "add", "root:root");
    etcdctl("user", "grant-role", "root", "root");
    etcdctl("role", "add", "millrace");
    etcdctl("role", "grant-permission", "millrace", "--prefix=true", "readwrite", "/mine/");
    etcdctl("user", "add", "me:hunter2");
    etcdctl("user", "grant-role", "me", "millrace");
    etcdctl("auth", "enable");
    writeFileSync(at("password"), "hunter2\n");
    writeFileSync(at("wrong"), "hunter3\n");

    const url = `etcd://${etcd.clients}/mine`;
    const encrypted = { stateCa: at("cert.pem"), stateCert: at("cert.pem"), stateKey: at("key.pem") };
    const user = { stateUser: "me", statePasswordFile: at("password") };
    const store = opened(await openStateStore(url, { ...encrypted, ...user, leaseMs: 2000 }));
    const other = opened(await openStateStore(url, { ...encrypted, ...user, leaseMs: 2000 }));
    const leading = await store.lead("a", never);
    const waiting = other.lead("b", never);
    await leading.commit([put("k", "v"), { put: { key: "large", value: Buffer.alloc(600_000) } }]);
    await leading.resign();
    await (await waiting).commit([{ delete: "large" }]);
    expect(await all(other)).toEqual({ k: "v" });

    const refused = { code: "no-access", message: expect.stringContaining("etcd") };
    await expect(openStateStore(`etcd://${etcd.clients}/other`, { ...encrypted, ...user })).rejects.toMatchObject(
      refused,
    );
    await expect(
      openStateStore(url, { ...encrypted, stateUser: "me", statePasswordFile: at("wrong") }),
    ).rejects.toMatchObject({ code: "no-access", message: expect.not.stringContaining("hunter3") });
    await expect(openStateStore(url, encrypted)).rejects.toMatchObject({ code: "no-access" });
    await Promise.all(
      [{ stateCa: at("cert.pem") }, {}].map((options) =>
        expect(openStateStore(url, options)).rejects.toMatchObject({ code: "unreachable" }),
      ),
    );
  }, 120_000);
});

/** The index of the member that leads etcd. */
function leaderOf(etcd: EtcdCluster): number {
  return etcd.clients.findIndex((client) => {
    const status = execFileSync("etcdctl", ["--endpoints", client, "endpoint", "status", "--write-out", "json"], {
      env: { ...process.env, ETCDCTL_API: "3" },
      encoding: "utf8",
    });
    const [{ Status }] = JSON.parse(status) as [{ Status: { leader: number; header: { member_id: number } } }];
    return Status.leader === Status.header.member_id;
  });
}

/** A process that leads, and counts in the store until it may no more. The test ends it. */
function leaderProcess(url: string, folder: string): { process: ChildProcess; said(words: string): Promise<void> } {
  const { outputFiles } = buildSync({
    stdin: {
      contents: `import { openStateStore } from "./src/state/open.ts";
        const store = await openStateStore(process.argv[2]);
        const leading = await store.lead("a", new AbortController().signal);
        try {
          for (let count = 1; ; count++) {
            await leading.commit([{ put: { key: "count", value: Buffer.from(String(count)) } }]);
            if (count === 1) console.log("leads");
          }
        } catch (error) {
          console.log("refused", error.code, leading.lost.aborted);
        }`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["classic-level"],
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    write: false,
  });
  const script = join(folder, "leader.mjs");
  writeFileSync(script, outputFiles[0]!.contents);
  const child = spawn(process.execPath, [script, url], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  let wake = () => {};
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    wake();
  });
  child.once("exit", () => wake());
  return {
    process: child,
    said: async (words) => {
      while (!output.includes(words)) {
        if (child.exitCode !== null) throw new Error(`the leader has ended: ${output}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
