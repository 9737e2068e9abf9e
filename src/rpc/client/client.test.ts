import { afterEach, describe, expect, it } from "vitest";
import {
  fakeMaster,
  type ServedMaster,
  serveMaster,
  someOrders,
  someReport,
  someSpec,
} from "../../../test/support/fake-master.ts";
import { type FaultProxy, faultProxy } from "../../../test/support/fault-proxy.ts";
import { MillraceError } from "../../base/error.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { WorkerReport } from "../../protocol/messages.ts";
import type { MasterApi, RemoteMaster, Submission } from "../../protocol/services.ts";
import { ourVersions } from "../../protocol/versions.ts";
import { randomToken } from "../access/token-digest.ts";
import type { ListenOptions } from "../server/listener.ts";
import { type ConnectOptions, connectMaster } from "./client.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function serve(api: Partial<MasterApi> = {}, options: Partial<ListenOptions> = {}): Promise<ServedMaster> {
  const served = await serveMaster(fakeMaster(api), options);
  open.push({ close: () => served.listener.close(0) });
  return served;
}

async function proxied(served: ServedMaster): Promise<FaultProxy> {
  const proxy = await faultProxy({ port: served.port });
  open.push(proxy);
  return proxy;
}

/** Impatient, so that a test is soon over. */
function connect(
  served: Pick<ServedMaster, "address" | "tokens">,
  options: Partial<ConnectOptions> = {},
): RemoteMaster {
  const master = connectMaster({
    address: served.address,
    token: options.role === "worker" ? served.tokens.worker : served.tokens.submit,
    role: "client",
    clock: systemClock,
    random: () => 0,
    patienceMs: { first: 300, later: 5000 },
    ...options,
  });
  open.push(master);
  return master;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

class Flag {
  raise: () => void = () => {};
  readonly raised = new Promise<void>((resolve) => (this.raise = resolve));
}

const submission: Submission = { idempotencyKey: "k", spec: someSpec, overwrite: true };

describe("a master at the other end of a wire", () => {
  it("answers every call as one in this process does", async () => {
    let heard: Submission | undefined;
    const served = await serve({
      submit: async (given) => {
        heard = given;
        return "j";
      },
    });
    const master = connect(served);
    const hello = { role: "client", protocol: 1, millrace: "", nodeMajor: 0, icu: "", worker: undefined } as const;
    expect(await master.hello(hello)).toEqual({
      protocol: ourVersions.protocol,
      millrace: ourVersions.millrace,
      cluster: "c-1",
      leaseMs: 10_000,
      start: 7,
      timeMs: expect.any(Number),
    });
    expect(await master.submit(submission)).toBe("j");
    expect(heard).toEqual(submission);
    expect((await master.get("j")).state).toBe("mapping");
    expect((await master.view()).epoch).toBe(7);
    expect((await collect(master.watch("j"))).map((view) => view.state)).toEqual(["mapping", "succeeded"]);
    expect(await master.cancel("j")).toBe("cancelled");
    await master.retry("j");
    expect((await collect(master.history("j"))).map((event) => event.kind)).toEqual(["submitted", "ended"]);
    expect(Buffer.from((await collect(master.logs("j", undefined)))[0]!.bytes).toString()).toBe("hello\n");
  });

  it("hears a worker's report and gives its orders", async () => {
    let heard: WorkerReport | undefined;
    const served = await serve({
      heartbeat: async (report) => {
        heard = report;
        return someOrders;
      },
    });
    const master = connect(served, { role: "worker", worker: "w-1" });
    expect(await master.heartbeat(someReport, new AbortController().signal)).toEqual(someOrders);
    expect(heard).toEqual(someReport);
  });

  it("an error keeps its code, its words and what may be done about it", async () => {
    const served = await serve({
      get: async () => {
        throw new MillraceError("no-input", "no file matches /datà/*.txt", { retry: "never" });
      },
    });
    const admin = connect(served, { token: served.tokens.admin });
    await expect(admin.get("j")).rejects.toMatchObject({ code: "no-input", message: "no file matches /datà/*.txt" });
    await expect(admin.drain("w9")).rejects.toMatchObject({ code: "wrong-usage", message: "there is no worker w9" });
  });

  it("an error that nobody expected tells nothing of the inside", async () => {
    const served = await serve({
      get: async () => {
        throw new TypeError("secret detail");
      },
    });
    const failure = await connect(served)
      .get("j")
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "io-error" });
    expect(String(failure)).not.toContain("secret detail");
  });

  it("a call that its caller gives up ends at once, here and at the master", async () => {
    const gone = new Flag();
    const asked = new Flag();
    const served = await serve({
      heartbeat: (_report, signal) =>
        new Promise((_, reject) => {
          asked.raise();
          signal.addEventListener("abort", () => {
            gone.raise();
            reject(new MillraceError("cancelled", "the worker ended the call"));
          });
        }),
    });
    const stop = new AbortController();
    const call = connect(served, { role: "worker" }).heartbeat(someReport, stop.signal);
    await asked.raised;
    stop.abort(new MillraceError("cancelled", "enough"));
    await expect(call).rejects.toThrow("enough");
    await gone.raised;
  });
});

describe("what goes wrong is said so that a reader knows what to do", () => {
  it("nobody listens there", async () => {
    const served = await serve();
    await served.listener.close(0);
    await expect(connect(served).view()).rejects.toMatchObject({
      code: "unreachable",
      message: `can't reach the master at ${served.address}: connection refused; is it running?`,
    });
  });

  it("a wrong token is refused at once, not after a while", async () => {
    const served = await serve();
    await expect(connect(served, { token: randomToken(), patienceMs: { first: 1e9 } }).view()).rejects.toMatchObject({
      code: "no-access",
      message: expect.stringMatching(/refuses the token: the token is not one of this cluster's; give --token-file/),
    });
  });

  it("a token that does not allow it names the scope", async () => {
    const served = await serve();
    await expect(connect(served, { token: served.tokens.read }).cancel("j")).rejects.toMatchObject({
      code: "no-access",
      message: expect.stringMatching(/a token of scope "read" does not allow this: it needs "submit"/),
    });
  });

  it("fault 30: other versions are named, with what to do", async () => {
    const served = await serve({
      hello: async (hello) => {
        const { checkHello } = await import("../../protocol/versions.ts");
        checkHello(hello, { protocol: hello.protocol, millrace: "0.1.0", nodeMajor: hello.nodeMajor, icu: "12.3" });
        throw new Error("not reached");
      },
    });
    await expect(connect(served, { role: "worker", worker: "w-7" }).view()).rejects.toMatchObject({
      code: "not-supported",
      message: `this worker w-7 has Unicode data (ICU) ${process.versions.icu}, the master 12.3: use the same build of Node on all machines, because text matching and sorting depend on it`,
    });
  });

  it("fault 54: a stream of what lies there that stops in the middle is begun again where it was", async () => {
    let begun = 0;
    const served = await serve({
      history: async function* () {
        begun++;
        yield { time: "", kind: "one", job: "j", task: undefined, attempt: undefined, worker: undefined, message: "" };
        if (begun === 1) await new Promise(() => {});
        yield { time: "", kind: "two", job: "j", task: undefined, attempt: undefined, worker: undefined, message: "" };
      },
    });
    const master = connect(served, { deadlineMs: { silence: 200 } });
    expect((await collect(master.history("j"))).map(({ kind }) => kind)).toEqual(["one", "two"]);
    expect(begun).toBe(2);
  });

  it("something else answers there", async () => {
    const { createServer } = await import("node:http");
    const other = createServer((_request, response) => response.end("hello"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    open.push({ close: () => other.close() });
    const { port } = other.address() as { port: number };
    const served = await serve();
    await expect(connect({ ...served, address: `http://127.0.0.1:${port}` }).view()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/can't reach the master at http:\/\/127\.0\.0\.1:\d+: /),
    });
  });

  it("an address with a path, a password or no scheme is refused before anything is sent", async () => {
    const served = await serve();
    for (const address of ["127.0.0.1:7070", "http://x:y@h:1", "http://h:1/path", "ftp://h:1", ""]) {
      expect(() => connect({ ...served, address })).toThrow(MillraceError);
    }
  });
});

describe("a master that is away for a while", () => {
  it("fault 58: a call is made again after a reset, and once more a greeting", async () => {
    const served = await serve();
    const proxy = await proxied(served);
    let greetings = 0;
    const master = connect(
      { ...served, address: `http://127.0.0.1:${proxy.port}` },
      { onWelcome: () => void greetings++ },
    );
    await master.view();
    proxy.fault = { kind: "refuse" };
    proxy.resetAll();
    const view = master.view();
    while (proxy.accepted < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    proxy.fault = { kind: "none" };
    expect((await view).epoch).toBe(7);
    expect(greetings).toBe(2);
  });

  it("a watch goes on after the connection was reset, until the job has ended", async () => {
    let watches = 0;
    const served = await serve({
      async *watch(job, signal) {
        const { someView } = await import("../../../test/support/fake-master.ts");
        yield someView(job, "mapping");
        if (++watches > 1) {
          yield someView(job, "succeeded");
          return;
        }
        await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      },
    });
    const proxy = await proxied(served);
    const seen: string[] = [];
    for await (const { state } of connect({ ...served, address: `http://127.0.0.1:${proxy.port}` }).watch("j")) {
      seen.push(state);
      if (seen.length === 1) proxy.resetAll();
    }
    expect(seen).toEqual(["mapping", "mapping", "succeeded"]);
  });

  it("history is not told twice", async () => {
    const served = await serve();
    const proxy = await proxied(served);
    const seen: string[] = [];
    for await (const { kind } of connect({ ...served, address: `http://127.0.0.1:${proxy.port}` }).history("j")) {
      seen.push(kind);
      if (seen.length === 1) proxy.resetAll();
    }
    expect(seen).toEqual(["submitted", "ended"]);
  });

  it("a heartbeat is not made again: its worker has newer things to say by then", async () => {
    let heartbeats = 0;
    const served = await serve({
      heartbeat: async () => {
        heartbeats++;
        throw new MillraceError("not-leader", "another master leads now");
      },
    });
    const master = connect(served, { role: "worker" });
    await expect(master.heartbeat(someReport, new AbortController().signal)).rejects.toMatchObject({
      code: "not-leader",
    });
    expect(heartbeats).toBe(1);
  });

  it("fault 49: a black hole ends a call at its deadline, and the next goes another way", async () => {
    const served = await serve();
    const proxy = await proxied(served);
    const master = connect(
      { ...served, address: `http://127.0.0.1:${proxy.port}` },
      { role: "worker", deadlineMs: { heartbeat: 500, hello: 500 } },
    );
    // On a machine that is busy the first one may be late as well.
    const heartbeat = () => master.heartbeat(someReport, new AbortController().signal).then(() => true);
    while (!(await heartbeat().catch(() => false)));
    proxy.fault = { kind: "black-hole" };
    await expect(master.heartbeat(someReport, new AbortController().signal)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/does not answer in time/),
    });
    const accepted = proxy.accepted;
    proxy.fault = { kind: "none" };
    while (!(await heartbeat().catch(() => false)));
    expect(proxy.accepted).toBeGreaterThan(accepted);
  });

  it("fault 49: pings notice a black hole under a watch that waits", async () => {
    let watches = 0;
    const served = await serve({
      async *watch(job, signal) {
        const { someView } = await import("../../../test/support/fake-master.ts");
        if (++watches > 1) yield someView(job, "succeeded");
        else {
          yield someView(job, "mapping");
          await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        }
      },
    });
    const proxy = await proxied(served);
    const seen: string[] = [];
    const master = connect({ ...served, address: `http://127.0.0.1:${proxy.port}` }, { pingMs: 250 });
    for await (const { state } of master.watch("j")) {
      seen.push(state);
      proxy.fault = { kind: "black-hole" };
      void (async () => {
        // The link that is open stays a black hole until it is given up; the next one works.
        while (proxy.open > 0 && seen.length < 2) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (proxy.accepted > 1) break;
        }
        proxy.fault = { kind: "none" };
      })();
    }
    expect(seen).toEqual(["mapping", "succeeded"]);
  });

  it("nothing is waited for once the connection is closed here", async () => {
    const served = await serve();
    const proxy = await proxied(served);
    proxy.fault = { kind: "black-hole" };
    const master = connect({ ...served, address: `http://127.0.0.1:${proxy.port}` });
    const view = master.view();
    master.close();
    await expect(view).rejects.toMatchObject({ code: "cancelled" });
  });
});
