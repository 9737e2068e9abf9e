// Object stores for tests: storages on the fake one, and what a reader finds there.
import { tmpdir } from "node:os";
import { Secret } from "../../src/base/value/secret.ts";
import type { S3Access } from "../../src/storage/s3/access.ts";
import { createS3Storage, type S3StorageOptions } from "../../src/storage/s3/s3.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { type FakeS3, type FakeS3Options, fakeCredentials } from "./fake-s3.ts";

export const fakeAccess: S3Access = {
  endpoint: "http://127.0.0.1:1",
  region: "us-east-1",
  accessKeyId: fakeCredentials.accessKeyId,
  secretAccessKey: new Secret(fakeCredentials.secretAccessKey),
  sessionToken: undefined,
};

/** Waits of the client's are over at once, deadlines never come: nothing here takes time. */
export const impatientClock: S3StorageOptions["clock"] = {
  now: () => 0,
  date: () => new Date("2026-01-02T03:04:05Z"),
  // A deadline is longer than any wait between two tries.
  sleep: (ms, signal) => (ms > 9_000 && signal !== undefined ? untilAborted(signal) : Promise.resolve()),
};

export function s3StorageOn(
  fake: FakeS3,
  options: Partial<S3StorageOptions> & { readonly before?: FakeS3Options["before"] } = {},
): Storage {
  const { before, ...given } = options;
  return createS3Storage({
    access: () => fakeAccess,
    clock: impatientClock,
    random: () => 0.5,
    spoolDirectory: tmpdir,
    transport: fake.transport(before),
    ...given,
  });
}

/** Objects at a destination, without what is hidden; undefined where there are none. */
export function visibleIn(fake: FakeS3, destination: string): Map<string, string> | undefined {
  const [, bucket = "", key = ""] = /^s3:\/\/([^/]+)\/(.*)$/.exec(destination)!;
  const found = [...fake.contents(bucket, `${key}/`)].filter(([name]) => !name.startsWith(".millrace-"));
  return found.length === 0 ? undefined : new Map(found);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
