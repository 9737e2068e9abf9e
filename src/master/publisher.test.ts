import { expect, test } from "vitest";
import { systemClock } from "../base/system/clock.ts";
import type { Storage } from "../storage/storage.ts";
import { Publisher } from "./publisher.ts";

test("what a job has staged is removed once more when that is asked for meanwhile, however often it is", async () => {
  const removals: (() => void)[] = [];
  const removed: string[] = [];
  const publisher = new Publisher({
    clock: systemClock,
    stopped: new AbortController().signal,
    happened: async () => {},
    storage: {
      discard: (destination: string, job: string) => {
        removed.push(`${destination} ${job}`);
        return new Promise<void>((resolve) => removals.push(resolve));
      },
    } as Partial<Storage> as Storage,
  });
  for (const job of ["a", "a", "b", "a", "a"]) publisher.discard("/out", job);
  expect(removed).toEqual(["/out a", "/out b"]);
  for (let next = removals.shift(); next !== undefined; next = removals.shift()) {
    next();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await publisher.settled();
  expect(removed).toEqual(["/out a", "/out b", "/out a"]);
  publisher.discard("/out", "a");
  expect(removed).toHaveLength(4);
});
