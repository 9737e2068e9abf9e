// A publisher on an object store is paused, and the decision that it is publishing is withdrawn meanwhile.
import { describe, expect, test } from "vitest";
import { contentsOf, manifestFor, stagedDecision, stageFile } from "../../../test/conformance/storage.ts";
import { FakeS3 } from "../../../test/support/fake-s3.ts";
import { s3StorageOn, visibleIn } from "../../../test/support/s3.ts";
import type { CommitDecision, Storage } from "../storage.ts";
import { decodeToken, destinationOf } from "./names.ts";

const destination = "s3://bucket/results/out";
const prefix = "results/out/";
const contents = { "part-00000.tsv": "a\n", "part-00001.tsv": "b\n", "part-00002.tsv": "c\n" };
const lostName = "part-00001.tsv";

/** Removes the file, wherever it is by now: its upload, or the object that the upload became. */
function lose(fake: FakeS3, { files }: CommitDecision): void {
  const file = files.find(({ name }) => name === lostName)!;
  fake.uploads.delete(decodeToken(file, destinationOf(destination)).upload);
  const objects = fake.buckets.get("bucket")!;
  if (objects.get(prefix + lostName)?.body.toString() === contents[lostName]) objects.delete(prefix + lostName);
}

/** Decides again as a retry does: lost files are made again, of the same size and with different bytes. */
async function decideAgain(storage: Storage, first: CommitDecision): Promise<CommitDecision> {
  const withdrawal = await storage.withdraw(first);
  if (withdrawal.kind !== "withdrawn") throw new Error("nothing was withdrawn");
  expect(withdrawal.files.map((file) => file !== undefined)).toContain(false);
  const files = [];
  for (const [index, { name }] of first.files.entries()) {
    files.push(withdrawal.files[index] ?? (await stageFile(storage, destination, first.job, name, again[name]!)));
  }
  return { ...first, files, manifest: manifestFor(first.job, files) };
}
const again: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(contents).map(([name, content]) => [name, content.toUpperCase()]),
);

describe.each(["new", "overwrite"])("at an output's url: %s", (kind) => {
  test.each(["while it is paused", "when it has gone on"])(
    "A.6: paused at any request, a publisher brings back nothing of a withdrawn decision; the next one appears, %s",
    async (when) => {
      let paused = 0;
      for (let n = 0; n < 200; n++) {
        const fake = new FakeS3();
        const storage = s3StorageOn(fake);
        let replaces: string | undefined;
        if (kind === "overwrite") {
          const old = await stagedDecision(storage, destination, { [lostName]: "old\n", "part-00007.tsv": "old\n" });
          await storage.publish(old);
          await storage.discard(destination, old.job);
          replaces = (await storage.prepare(destination, true)).replaces;
        }
        const first = await stagedDecision(storage, destination, contents, replaces);
        let requests = 0;
        let second: CommitDecision | undefined;
        let isPaused = false;
        const publisher = s3StorageOn(fake, {
          before: async () => {
            if (requests++ !== n) return undefined;
            isPaused = true;
            const isDone = visibleIn(fake, destination)?.get("_SUCCESS") === Buffer.from(first.manifest).toString();
            if (isDone) return undefined;
            lose(fake, first);
            second = await decideAgain(storage, first);
            if (when === "while it is paused") await storage.publish(second);
            return undefined;
          },
        });
        const isPublished = await publisher.publish(first).then(
          () => true,
          () => false,
        );
        if (!isPaused) break;
        if (second === undefined) continue;
        paused++;
        expect({ n, isPublished }).toEqual({ n, isPublished: false });
        await storage.publish(second);
        await publisher.publish(first).catch(() => {});
        const shown = Object.fromEntries(
          Object.entries(contents).map(([name, content]) => {
            const isOld = second!.files.find((file) => file.name === name)!.token === tokenOf(first, name);
            return [name, isOld ? content : again[name]!];
          }),
        );
        expect(shown[lostName]).toBe("B\n");
        expect({ n, ...Object.fromEntries(visibleIn(fake, destination)!) }).toEqual({
          n,
          ...Object.fromEntries(contentsOf(second, shown)),
        });
        await storage.discard(destination, first.job);
        expect([...fake.contents("bucket").keys()].filter((key) => key.includes(".millrace-"))).toEqual([]);
        expect([...fake.uploads.values()]).toEqual([]);
      }
      expect(paused).toBeGreaterThan(10);
    },
  );
});

function tokenOf({ files }: CommitDecision, name: string): string {
  return files.find((file) => file.name === name)!.token;
}
