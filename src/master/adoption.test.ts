import { describe, expect, test } from "vitest";
import { FakeClock, settled } from "../../test/support/fake-clock.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { JobView } from "../protocol/view.ts";
import type { Scheduler, SchedulerEvent } from "../schedule/step.ts";
import { createMemoryStore } from "../state/memory.ts";
import type { Storage } from "../storage/storage.ts";
import { createMaster } from "./loop.ts";
import type { Master } from "./master.ts";

const store = createMemoryStore();
const orders = { epoch: 1, start: [], stop: [], holders: [], discard: [], settle: [], leaseMs: 10_000, drain: false };

function report(worker: string): WorkerReport {
  const none = { running: [], finished: [], offered: [], holdersKnown: {}, settled: [], late: [] };
  return {
    worker,
    incarnation: 1,
    sequence: 1,
    address: "",
    slots: 2,
    slotsFree: 2,
    slotsAhead: 0,
    draining: false,
    ...none,
  };
}

/** A master whose scheduler only remembers how many free slots it was told of, by whom. */
async function start(clock: FakeClock, jobs: readonly Partial<JobView>[]) {
  const told: string[] = [];
  const silent: string[] = [];
  const scheduler: Scheduler = {
    step(event: SchedulerEvent) {
      if (event.kind === "worker-heard") told.push(`${event.report.worker} ${event.report.slotsFree}`);
      const facts = silent.splice(0).map((worker) => ({ kind: "worker-silent" as const, worker }));
      return { changes: [], commands: [], facts, wakeAt: undefined };
    },
    unpublished: () => undefined,
    ordersFor: () => orders,
    view: () => ({ epoch: 1, jobs: jobs as readonly JobView[], workers: [] }),
  };
  const master = await createMaster({
    store,
    storage: {} as Storage,
    clock,
    recover: () => scheduler,
    scheduler: {} as never,
    owner: "test",
    heartbeatMs: 3000,
    adoptMs: 10_000,
  });
  return { master, told, silent };
}

async function tell(master: Master, worker: string): Promise<{ isAnswered: boolean }> {
  const call = { isAnswered: false };
  master.heartbeat(report(worker)).then(
    () => (call.isAnswered = true),
    () => {},
  );
  await settled();
  return call;
}

describe("a new master", () => {
  test("fault 46: counts free slots only when all workers of its predecessor have been heard, and asks them anew then", async () => {
    const clock = new FakeClock();
    const first = await start(clock, []);
    await tell(first.master, "a");
    await tell(first.master, "b");
    expect(first.told).toEqual(["a 2", "b 2"]); // nothing was under way
    await first.master.close();

    const second = await start(clock, [{ job: "j", state: "mapping" }]);
    const a = await tell(second.master, "a");
    const c = await tell(second.master, "c");
    expect(second.told).toEqual(["a 0", "c 0"]);
    expect([a.isAnswered, c.isAnswered]).toEqual([false, false]);
    await tell(second.master, "b");
    expect([a.isAnswered, c.isAnswered]).toEqual([true, true]);
    await tell(second.master, "a");
    expect(second.told).toEqual(["a 0", "c 0", "b 0", "a 2"]);
    await second.master.close();
  });

  test("fault 46: waits no longer than a lease for one that is gone, and not at all for one that was silent before", async () => {
    const clock = new FakeClock();
    const third = await start(clock, [{ job: "j", state: "mapping" }]);
    await tell(third.master, "a");
    await tell(third.master, "b");
    expect(third.told).toEqual(["a 0", "b 0"]); // c is missing
    await clock.pass(10_000);
    await tell(third.master, "a");
    third.silent.push("c");
    await tell(third.master, "b");
    expect(third.told.slice(2)).toEqual(["a 2", "b 2"]);
    await third.master.close();

    const fourth = await start(clock, [{ job: "j", state: "mapping" }]);
    await tell(fourth.master, "a");
    await tell(fourth.master, "b");
    await tell(fourth.master, "a");
    expect(fourth.told).toEqual(["a 0", "b 0", "a 2"]);
    await fourth.master.close();
  });
});
