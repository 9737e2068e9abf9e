import { expect, test } from "vitest";
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import { memoryTransport } from "./memory-transport.ts";

const report: WorkerReport = {
  worker: "w",
  incarnation: 1,
  sequence: 2,
  holdersKnown: { j: { mapVersion: 3, runs: 1 } },
  address: "",
  slots: 2,
  slotsFree: 1,
  slotsAhead: 0,
  draining: false,
  running: [],
  finished: [],
  offered: [],
  settled: [],
  late: [],
};
const orders: WorkerOrders = {
  epoch: 4,
  start: [],
  stop: [],
  holders: [],
  discard: ["j"],
  settle: [],
  leaseMs: 10_000,
  drain: false,
};

test("messages arrive equal and are never the same object", async () => {
  let heard: WorkerReport | undefined;
  const transport = memoryTransport({
    heartbeat: async (received) => {
      heard = received;
      return orders;
    },
  });
  const answer = await transport.heartbeat(report, new AbortController().signal);
  expect(heard).toEqual(report);
  expect(heard).not.toBe(report);
  expect(answer).toEqual(orders);
  expect(answer).not.toBe(orders);
});

test("a report says what was true when it was sent, also when the master is still starting", async () => {
  let start: (master: { heartbeat: () => Promise<WorkerOrders> }) => void = () => {};
  let heard: WorkerReport | undefined;
  const transport = memoryTransport(new Promise((resolve) => (start = resolve)));
  const holdersKnown = { j: { mapVersion: 3, runs: 1 } };
  const call = transport.heartbeat({ ...report, holdersKnown }, new AbortController().signal);
  holdersKnown.j.mapVersion = 9;
  start({
    heartbeat: async (received?: WorkerReport) => {
      heard = received;
      return orders;
    },
  });
  await call;
  expect(heard?.holdersKnown).toEqual({ j: { mapVersion: 3, runs: 1 } });
});

test("bytes that are no report are refused, as on a wire", async () => {
  const transport = memoryTransport({ heartbeat: async () => orders });
  const broken = { ...report, sequence: -1 };
  await expect(transport.heartbeat(broken, new AbortController().signal)).rejects.toThrow();
});
