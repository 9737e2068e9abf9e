// Several masters, of which one leads: clients find it, and follow it.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fakeMaster, someOrders, someReport, someView } from "../../../test/support/fake-master.ts";
import { memoryBlobs, sha256Of } from "../../../test/support/memory-blobs.ts";
import { MillraceError } from "../../base/error.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { Blobs, MasterApi, RemoteMaster } from "../../protocol/services.ts";
import { Secret } from "../access/token-digest.ts";
import { fixedTokens } from "../access/tokens.ts";
import { blobRoutes } from "../server/blob-routes.ts";
import { Gate } from "../server/gate.ts";
import type { Listener } from "../server/http.ts";
import { listen } from "../server/listener.ts";
import { masterService } from "../server/service.ts";
import { connectMaster } from "./client.ts";

const token = new Secret("t".repeat(43));
/** The name of the one that leads; undefined: none does. */
let leader: string | undefined;
/** The name of one that takes itself for the leader. */
let deposed: string | undefined;
let masters: Record<string, Listener>;
let asked: string[];
let client: RemoteMaster;

beforeEach(() => {
  leader = undefined;
  deposed = undefined;
  masters = {};
  asked = [];
});
afterEach(async () => {
  client.close();
  await Promise.all(Object.values(masters).map((listener) => listener.close(0)));
});

function checkLeads(name: string): void {
  asked.push(name);
  if (leader === name || deposed === name) return;
  const message = leader === undefined ? "no master leads now" : `${leader} leads, not ${name}`;
  throw new MillraceError("not-leader", message, { leader: leader && masters[leader]?.address });
}

const content = Buffer.from("a side file");

/** Starts a master that answers when it leads. */
async function start(name: string, overrides: Partial<MasterApi> = {}): Promise<string> {
  const own = memoryBlobs();
  const fake = fakeMaster(overrides);
  const api: MasterApi = {
    ...fake,
    async hello(hello) {
      checkLeads(name);
      return await fake.hello(hello);
    },
    async heartbeat(report, signal) {
      checkLeads(name);
      return await fake.heartbeat(report, signal);
    },
    async view() {
      checkLeads(name);
      return { epoch: name.charCodeAt(0), jobs: [], workers: [] };
    },
  };
  const led = <K extends keyof Blobs>(method: K): Blobs[K] =>
    (async (...given: Parameters<Blobs[K]>) => {
      checkLeads(name);
      return await (own[method] as (...all: Parameters<Blobs[K]>) => unknown)(...given);
    }) as Blobs[K];
  masters[name] = await listen({
    host: "127.0.0.1",
    port: 0,
    gate: new Gate({ tokens: fixedTokens({ admin: [token] }), clock: systemClock }),
    routes: blobRoutes({ has: led("has"), get: led("get"), put: led("put") }),
    rpc: masterService(api),
  });
  return masters[name].address;
}

function connect(addresses: readonly string[], onRepeat: (failure: Error) => void = () => {}): RemoteMaster {
  client = connectMaster({
    address: addresses.join(","),
    token,
    role: "client",
    clock: systemClock,
    random: () => 0,
    patienceMs: { first: 300, later: 20_000 },
    onRepeat,
  });
  return client;
}

describe("of several masters", () => {
  it("the one that leads is found by what another says, though it is not in the list, without a pause", async () => {
    const addresses = [await start("a"), await start("b")];
    await start("c");
    leader = "c";
    const waits: string[] = [];
    const master = connect(addresses, ({ message }) => waits.push(message));
    expect((await master.view()).epoch).toBe("c".charCodeAt(0));
    expect([waits, asked]).toEqual([[], ["a", "c", "c"]]);
    // The next call goes there directly.
    await master.view();
    expect(asked).toEqual(["a", "c", "c", "c"]);
  });

  it("one that can't be reached is passed over, and asked again when it has come to lead", async () => {
    const gone = await start("a");
    const other = await start("b");
    await masters["a"]!.close(0);
    leader = "b";
    const master = connect([gone, other]);
    expect((await master.view()).epoch).toBe("b".charCodeAt(0));
    leader = undefined;
    const waits: string[] = [];
    client.close();
    const again = connect([gone, other], ({ message }) => {
      waits.push(message);
      leader = "b";
    });
    expect((await again.view()).epoch).toBe("b".charCodeAt(0));
    expect(waits).toHaveLength(1);
  });

  it("while none leads, calls wait for one and say so", async () => {
    const addresses = [await start("a"), await start("b")];
    const waits: string[] = [];
    const master = connect(addresses, ({ message }) => {
      waits.push(message);
      if (waits.length === 3) leader = "b";
    });
    expect((await master.view()).epoch).toBe("b".charCodeAt(0));
    expect(waits).toEqual(Array(3).fill("waiting for a master: no master leads now"));
    // Each round went to both, and only then there was a pause.
    expect(asked.slice(0, 6)).toEqual(["a", "b", "a", "b", "a", "b"]);
  });

  it("a watch goes on at the next leader", async () => {
    const change = async function* (job: string) {
      yield someView(job, "mapping");
      leader = "b";
      throw new MillraceError("not-leader", "this one has stepped down");
    };
    const addresses = [await start("a", { watch: change }), await start("b")];
    leader = "a";
    const states: string[] = [];
    for await (const { state } of connect(addresses).watch("j")) states.push(state);
    expect(states).toEqual(["mapping", "mapping", "succeeded"]);
  });

  it("a heartbeat goes to each once, and leaves the next try to the agent", async () => {
    const addresses = [await start("a"), await start("b")];
    const master = connect(addresses);
    const { signal } = new AbortController();
    await expect(master.heartbeat(someReport, signal)).rejects.toMatchObject({ code: "not-leader" });
    expect(asked).toEqual(["a", "b"]);
    leader = "b";
    expect(await master.heartbeat(someReport, signal)).toEqual(someOrders);
  });

  it("a leader of before that has not noticed is left by workers that know a later one", async () => {
    const ordersOf = (epoch: number) => ({ heartbeat: async () => ({ ...someOrders, epoch }) });
    const addresses = [await start("a", ordersOf(7)), await start("b", ordersOf(8))];
    const master = connect(addresses);
    const { signal } = new AbortController();
    leader = "b";
    expect((await master.heartbeat(someReport, signal)).epoch).toBe(8);
    [leader, deposed] = [undefined, "a"];
    expect((await master.heartbeat(someReport, signal)).epoch).toBe(7);
    leader = "b";
    asked = [];
    expect((await master.heartbeat(someReport, signal)).epoch).toBe(8);
    expect(asked.at(-1)).toBe("b");
  });

  it("blobs go to the one that leads, and a put that fails is made again there", async () => {
    const addresses = [await start("a"), await start("b")];
    leader = "a";
    const { blobs } = connect(addresses);
    const name = sha256Of(content);
    expect(await blobs.has(name)).toBe(false);
    leader = "b";
    const put = async () =>
      await blobs.put(
        name,
        (async function* () {
          yield content;
        })(),
        content.length,
      );
    await expect(put()).rejects.toMatchObject({ code: "not-leader", retry: "same", leader: addresses[1] });
    await put();
    expect(await blobs.has(name)).toBe(true);
    leader = "a";
    await expect(blobs.get(name)).rejects.toMatchObject({ code: "bad-input" }); // that one has none
  });

  it("a leader's address is not followed out of TLS, nor when it is none", async () => {
    const tls = { address: "https://a:1" } as never;
    const { Masters } = await import("./masters.ts");
    const all = new Masters(["https://a:1", "https://b:1"], () => tls);
    const othersBy = (leads: string) => all.after(tls, new MillraceError("not-leader", "", { leader: leads }));
    expect(othersBy("http://c:1")).toEqual(["https://b:1"]);
    expect(othersBy("c:1")).toEqual(["https://b:1"]);
    expect(othersBy("https://a:1")).toEqual(["https://b:1"]);
    expect(othersBy("https://c:1")).toEqual(["https://c:1", "https://b:1"]);
  });
});
