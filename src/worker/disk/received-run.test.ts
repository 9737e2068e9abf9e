// A run is copied from one worker's server into another one's store, over a real connection.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mapAttempt, sortPairs, writeRun } from "../../../test/support/pairs.ts";
import { access, type ServeOptions, serveRuns, TestFiles } from "../../../test/support/shuffle-server.ts";
import { KiB } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import type { Offer } from "../../protocol/messages.ts";
import { copyRun } from "../../shuffle/copy-run.ts";
import { FileRunStore } from "./file-run-store.ts";

const pairs = sortPairs(
  Array.from({ length: 400 }, (_, i) => ({ partition: i % 3, key: `key ${i}`, value: "x".repeat(1000) })),
);

/** A run of 400 kB that one worker serves, and a store on another. */
async function world(options: ServeOptions = {}) {
  const files = new TestFiles();
  const run = writeRun(files.tier, "map-0", mapAttempt(0), pairs, 16 * KiB);
  const { address } = await serveRuns([run], options);
  const { directory } = new TestFiles();
  const disk = join(directory, "runs");
  const slots = join(directory, "slots");
  const store = new FileRunStore({
    memory: undefined,
    disk,
    checkpoints: { memory: undefined, disk: join(directory, "checkpoints") },
    slots,
    tierBytes: 0,
    slotsMax: 1,
  });
  const copy = async (offer: Offer = { run, emissionDigest: 7n }) => {
    const received = store.receive(offer);
    try {
      await copyRun({
        order: { ...offer, from: "w1", address },
        access,
        clock: systemClock,
        random: () => 0,
        signal: new AbortController().signal,
        write: (bytes) => received.write(bytes),
      });
      return await received.finish();
    } catch (error) {
      received.abort();
      throw error;
    }
  };
  return { run, copy, names: () => readdirSync(join(disk, run.writtenBy.job)) };
}

test("the copy has the same bytes, under a name of its attempt", async () => {
  const { run, copy, names } = await world();
  const made = await copy();
  expect(made).toEqual({ run: { ...run, path: made.run.path }, emissionDigest: 7n });
  expect(made.run.path).not.toBe(run.path);
  expect(readFileSync(made.run.path)).toEqual(readFileSync(run.path));
  expect(names()).toEqual(["map-00000.1.1.run"]);
});

test("a block that was damaged is found before the copy counts, and nothing of it is left", async () => {
  const { run, copy, names } = await world();
  const bytes = readFileSync(run.path);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  writeFileSync(run.path, bytes);
  await expect(copy()).rejects.toMatchObject({ code: "corrupt-run" });
  expect(names()).toEqual([]);
});

test("a run that its holder lacks, or another one, is refused with its holder's name", async () => {
  const { run, copy, names } = await world({ find: () => undefined });
  await expect(copy()).rejects.toThrow(/of w1 \(.*\) can't be copied: its holder says that it is missing/);
  const other = await world();
  await expect(other.copy({ run: { ...run, pairs: 1 }, emissionDigest: 7n })).rejects.toThrow(
    /not the run that was reported/,
  );
  expect([...names(), ...other.names()]).toEqual([]);
});

test("copies take no more than their rate", async () => {
  let sleptMs = 0;
  const clock = {
    ...systemClock,
    now: () => systemClock.now(),
    date: () => systemClock.date(),
    sleep: (ms: number, signal?: AbortSignal) => {
      if (ms < 10_000) sleptMs += ms;
      return systemClock.sleep(Math.min(ms, ms < 10_000 ? 1 : ms), signal);
    },
  };
  const { run, copy } = await world({ copyBytesPerSecond: 100_000, clock });
  await copy();
  expect(sleptMs).toBeGreaterThan((run.bytes / 100_000) * 1000 * 0.5);
});
