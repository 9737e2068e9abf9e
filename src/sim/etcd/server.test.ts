// The simulated etcd by itself: the product's client leads on it, and it lies only as it is asked to.
import { expect, test } from "vitest";
import { MillraceError } from "../../base/error.ts";
import { Chance } from "../chance.ts";
import type { FaultKind } from "../faults.ts";
import { Network } from "../network.ts";
import { Process } from "../process.ts";
import type { Scene } from "../scene.ts";
import { Timeline } from "../timeline.ts";
import { openSimulatedEtcd } from "./open.ts";
import { EtcdServer } from "./server.ts";

const leaseMs = 4000;

function etcd(faults: readonly FaultKind[] = []) {
  const timeline = new Timeline();
  const network = new Network(timeline, new Chance(1, 1), leaseMs, () => false);
  const process = (name: string) => new Process(timeline, name, new Chance(1, 2).random, 0);
  const stored: string[] = [];
  const scene = { timeline, options: { leaseMs }, comes: (kind: FaultKind) => faults.includes(kind) };
  const server = new EtcdServer(process("store"), scene as unknown as Scene, new Chance(1, 3), {
    stored: (change, _before, epoch) => stored.push(`${epoch} ${"put" in change ? `${change.put.value}` : "gone"}`),
    led: () => {},
    fenced: () => {},
    commitCut: () => {},
  });
  network.answerAt("store", server);
  /** Virtual time goes on until it has settled. */
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    promise.then(over, over);
    // What it asks for is on its way before time goes on.
    await new Promise((resolve) => setImmediate(resolve));
    await timeline.runUntil(timeline.now + 60_000, () => isOver);
    if (!isOver) throw new Error("it did not end within a minute of virtual time");
    return await promise;
  };
  const open = (name: string) => settled(openSimulatedEtcd(process(name), network, leaseMs));
  return { timeline, network, process, server, stored, settled, open };
}

const change = (value: number) => ({ put: { key: "a", value: Uint8Array.of(value) } });
const signal = new AbortController().signal;

test("one master leads, writes and is seen; another waits until its lease is over", async () => {
  const { network, server, stored, settled, open, timeline } = etcd();
  const [first, second] = [await open("m0"), await open("m1")];
  const leading = await settled(first.lead("m0", signal));
  await settled(leading.commit([change(1), change(2)]));
  expect([...server.records]).toEqual([["a", Uint8Array.of(2)]]);
  const waiting = second.lead("m1", signal);
  await timeline.runUntil(timeline.now + 3 * leaseMs, () => false);
  expect([server.leader, server.epoch]).toEqual(["m0", 1]);
  network.cut("m0", "store");
  const next = await settled(waiting);
  expect([next.epoch, server.leader, server.hasExpired(1), leading.lost.aborted]).toEqual([2, "m1", true, true]);
  await expect(leading.commit([change(3)])).rejects.toThrow(MillraceError);
  expect(stored).toEqual(["1 2"]);
});

test("a leader is deposed though it is well, and its next commit is refused", async () => {
  const { server, settled, open } = etcd();
  const leading = await settled((await open("m0")).lead("m0", signal));
  server.depose();
  await expect(settled(leading.commit([change(1)]))).rejects.toMatchObject({ code: "not-leader" });
  expect([server.leader, server.records.size, server.hasExpired(1)]).toEqual([undefined, 0, false]);
});

test("what times out may be applied, and is written once", async () => {
  const faults: FaultKind[] = [];
  const { stored, settled, open, timeline } = etcd(faults);
  const leading = await settled((await open("m0")).lead("m0", signal));
  faults.push("unknown-outcomes");
  timeline.after(1500, () => void faults.pop());
  await settled(leading.commit([change(1)]));
  await settled(leading.commit([change(2)]));
  await timeline.runUntil(timeline.now + 4 * leaseMs, () => false);
  expect(stored).toEqual(["1 1", "1 2"]);
});

test("a transaction that comes again later has no effect", async () => {
  const { stored, server, settled, open, timeline } = etcd(["late-duplicates"]);
  const leading = await settled((await open("m0")).lead("m0", signal));
  await settled(leading.commit([change(1)]));
  await settled(leading.commit([change(2)]));
  await timeline.runUntil(timeline.now + 4 * leaseMs, () => false);
  expect(stored).toEqual(["1 1", "1 2"]);
  expect(server.records.get("a")).toEqual(Uint8Array.of(2));
});

test("what is compacted is not read any more, and whoever waits looks again", async () => {
  const { server, settled, open, timeline } = etcd();
  const [first, second] = [await open("m0"), await open("m1")];
  const leading = await settled(first.lead("m0", signal));
  const waiting = second.lead("m1", signal);
  await settled(leading.commit([change(1)]));
  server.compact();
  await timeline.runUntil(timeline.now + leaseMs, () => false);
  await settled(leading.resign());
  expect((await settled(waiting)).epoch).toBe(2);
});
