import { expect, test } from "vitest";
import { storeConformance } from "../../test/conformance/store.ts";
import { createMemoryStore, SharedMemory } from "./memory.ts";

storeConformance("memory", async () => {
  const memory = new SharedMemory();
  return { store: createMemoryStore(memory), another: async () => createMemoryStore(memory) };
});

test("fault 33: who is not heard for a lease loses leadership to whoever waits", async () => {
  const memory = new SharedMemory();
  const [a, b] = [createMemoryStore(memory), createMemoryStore(memory)];
  const never = new AbortController().signal;
  const first = await a.lead("a", never);
  const waiting = b.lead("b", never);
  memory.expire();
  expect((await waiting).epoch).toBe(first.epoch + 1);
  expect(first.lost.aborted).toBe(true);
  await expect(first.commit([])).rejects.toMatchObject({ code: "not-leader" });
});
