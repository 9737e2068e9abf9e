// What interrupted attempts and publishes left on an object store is removed: at the job's end, and when a run begins
// again; but never what belongs to others.
import { beforeEach, describe, expect, test } from "vitest";
import { contentsOf, someJob, stagedDecision, stageFile } from "../../../test/conformance/storage.ts";
import { FakeS3, type FakeS3Options } from "../../../test/support/fake-s3.ts";
import { impatientClock, s3StorageOn, visibleIn } from "../../../test/support/s3.ts";
import type { Storage } from "../storage.ts";

const destination = "s3://bucket/results/out";
const contents = { "part-00000.tsv": "first", "part-00001.tsv": "second" };

let fake: FakeS3;
let storage: Storage;
beforeEach(() => {
  fake = new FakeS3({ pageSize: 2 });
  storage = s3StorageOn(fake);
});

const hidden = () => [...fake.contents("bucket").keys()].filter((key) => key.includes(".millrace-"));
const uploadedKeys = () => [...fake.uploads.values()].map(({ key }) => key);

class Killed extends Error {}

/** A process that is gone from its n-th request on. That request has its effect, or has not. */
function dyingAt(n: number, isAfter: boolean): { readonly storage: Storage; readonly requests: () => number } {
  let requests = 0;
  const before: FakeS3Options["before"] = async () => {
    if (requests++ < n) return undefined;
    if (isAfter && requests === n + 1) return { kind: "lost" };
    return Promise.reject(new Killed());
  };
  const sleep: typeof impatientClock.sleep = (ms, signal) =>
    ms > 9_000 ? impatientClock.sleep(ms, signal) : Promise.reject(new Killed());
  return { storage: s3StorageOn(fake, { before, clock: { ...impatientClock, sleep } }), requests: () => requests };
}

describe("a job's end", () => {
  test("aborts each of its uploads, whichever request its process died at, and leaves no record", async () => {
    let orphans = 0;
    for (const isAfter of [false, true]) {
      for (let n = 0; ; n++) {
        const job = someJob();
        const dying = dyingAt(n, isAfter);
        const done = await stageFile(dying.storage, destination, job, "part-00000.tsv", "content").then(
          () => true,
          () => false,
        );
        const isNamed = [...fake.contents("bucket").values()].some((record) => record.includes('"upload":'));
        if (fake.uploads.size > 0 && !isNamed) orphans++;
        await storage.discard(destination, job);
        expect({ n, isAfter, uploads: uploadedKeys(), hidden: hidden() }).toEqual({
          n,
          isAfter,
          uploads: [],
          hidden: [],
        });
        if (done) break;
      }
    }
    // The case that only the store's list of uploads shows.
    expect(orphans).toBeGreaterThan(0);
  });

  test("an answer that was lost made an upload that no one knows of: it goes too", async () => {
    let lost = 0;
    const losing = s3StorageOn(fake, {
      before: ({ method, query }) =>
        method === "POST" && query.has("uploads") && lost++ === 0 ? { kind: "lost" } : undefined,
    });
    const decision = await stagedDecision(losing, destination, contents);
    expect(fake.uploads.size).toBe(3);
    await storage.publish(decision);
    expect(uploadedKeys()).toEqual(["results/out/part-00000.tsv"]);
    await storage.discard(destination, decision.job);
    expect({ uploads: uploadedKeys(), hidden: hidden() }).toEqual({ uploads: [], hidden: [] });
    expect(visibleIn(fake, destination)).toEqual(contentsOf(decision, contents));
  });

  test("leaves uploads of other jobs and other programs to the same folder alone", async () => {
    const mine = someJob();
    // Two of this job: one that is named and one that is not.
    await stageFile(storage, destination, mine, "part-00000.tsv", "mine");
    const orphan = dyingAt(1, true);
    await expect(stageFile(orphan.storage, destination, mine, "part-00000.tsv", "mine")).rejects.toThrow();
    expect(fake.uploads.size).toBe(2);
    const theirs = await stagedDecision(storage, destination, contents);
    fake.uploads.set("foreign", { bucket: "bucket", key: "results/out/notes.txt", metadata: {}, parts: new Map() });
    await storage.discard(destination, mine);
    expect(uploadedKeys().sort()).toEqual([
      "results/out/notes.txt",
      "results/out/part-00000.tsv",
      "results/out/part-00001.tsv",
    ]);
    await storage.publish(theirs);
    expect(visibleIn(fake, destination)).toEqual(contentsOf(theirs, contents));
  });

  test("does not take for its own what another job begins at that moment; that one's end removes both", async () => {
    const [mine, other] = [someJob(), someJob()];
    for (const job of [mine, other]) {
      await expect(stageFile(dyingAt(1, true).storage, destination, job, "part-00000.tsv", "x")).rejects.toThrow();
    }
    await storage.discard(destination, mine);
    expect(fake.uploads.size).toBe(2);
    await storage.discard(destination, other);
    expect({ uploads: uploadedKeys(), hidden: hidden() }).toEqual({ uploads: [], hidden: [] });
  });

  test("on a store that can't list uploads aborts what its records name", async () => {
    fake = new FakeS3({ listsUploads: false });
    storage = s3StorageOn(fake);
    const job = someJob();
    await stageFile(storage, destination, job, "part-00000.tsv", "x");
    await storage.discard(destination, job);
    expect({ uploads: uploadedKeys(), hidden: hidden() }).toEqual({ uploads: [], hidden: [] });
  });
});

describe("a run that begins anew after a publish that was cut off at any request", () => {
  const next = { "part-00000.tsv": "of the next run" };

  for (const kind of ["new", "overwrite"] as const) {
    test(`${kind}: finds nothing in its way, and nothing of the other in its result`, async () => {
      let refused = 0;
      for (let n = 0; ; n++) {
        fake = new FakeS3({ pageSize: 3 });
        storage = s3StorageOn(fake);
        let replaces: string | undefined;
        if (kind === "overwrite") {
          const old = await stagedDecision(storage, destination, {
            "part-00000.tsv": "old",
            "part-00007.tsv": "older",
          });
          await storage.publish(old);
          await storage.discard(destination, old.job);
          replaces = (await storage.prepare(destination, true)).replaces;
        }
        const dead = await stagedDecision(storage, destination, contents, replaces);
        const dying = dyingAt(n, true);
        const done = await dying.storage.publish(dead).then(
          () => true,
          () => false,
        );
        if (done) break;
        const isWhole = fake.contents("bucket").get("results/out/_SUCCESS") === Buffer.from(dead.manifest).toString();
        const isOverwrite = kind === "overwrite" || isWhole;
        const plain = await storage.prepare(destination, isOverwrite).catch(() => undefined);
        if (plain === undefined) refused++;
        const { replaces: now } = await storage.prepare(destination, isOverwrite, undefined, [dead.job]);
        const decision = await stagedDecision(storage, destination, next, now);
        await storage.publish(decision);
        await storage.discard(destination, decision.job);
        await storage.discard(destination, dead.job);
        expect({ n, found: visibleIn(fake, destination) }).toEqual({ n, found: contentsOf(decision, next) });
        expect({ n, uploads: uploadedKeys(), hidden: hidden() }).toEqual({ n, uploads: [], hidden: [] });
      }
      expect(refused).toBeGreaterThan(2);
    });
  }

  test("what another job is publishing, and what no job wrote, is still refused", async () => {
    const [dead, other] = [await stagedDecision(storage, destination, contents), someJob()];
    await expect(dyingAt(6, true).storage.publish(dead)).rejects.toThrow();
    fake.put("bucket", "results/out/part-00001.tsv", "of someone");
    await expect(storage.prepare(destination, false, undefined, [dead.job])).rejects.toMatchObject({
      code: "output-exists",
    });
    expect(fake.contents("bucket").get("results/out/part-00001.tsv")).toBe("of someone");
    fake.buckets.get("bucket")!.clear();
    const living = await stagedDecision(storage, destination, contents, undefined, other);
    await expect(dyingAt(6, true).storage.publish(living)).rejects.toThrow();
    await expect(storage.prepare(destination, true, undefined, [dead.job])).rejects.toMatchObject({
      code: "output-exists",
    });
    await storage.publish(living);
    expect(visibleIn(fake, destination)).toEqual(contentsOf(living, contents));
  });
});
