import { tmpdir } from "node:os";
import { type StorageUnderTest, storageConformance } from "../../../test/conformance/storage.ts";
import { FakeS3, type FakeS3Options } from "../../../test/support/fake-s3.ts";
import { s3StorageOn, visibleIn } from "../../../test/support/s3.ts";
import { decodeToken, destinationOf } from "./names.ts";

storageConformance("an object store", async () => fakeUnderTest({}));
storageConformance("an object store of short pages that ignores conditions", async () =>
  fakeUnderTest({ pageSize: 2, conditional: false }),
);

function fakeUnderTest(options: FakeS3Options): StorageUnderTest {
  const fake = new FakeS3(options);
  return {
    storage: s3StorageOn(fake, { spoolDirectory: tmpdir }),
    root: "s3://bucket/in/",
    put: async (name, content) => {
      fake.put("bucket", `in/${name}`, content);
      return `s3://bucket/in/${name}`;
    },
    destination: (name) => `s3://bucket/results/${name}`,
    published: async (destination) => visibleIn(fake, destination),
    lose: async (destination, file) => {
      fake.uploads.delete(decodeToken(file, destinationOf(destination)).upload);
    },
    cut: async (destination, file) => {
      const { parts } = fake.uploads.get(decodeToken(file, destinationOf(destination)).upload)!;
      parts.set(1, { body: Buffer.from("x"), etag: "another" });
    },
    leftovers: async () => [
      ...[...fake.buckets.get("bucket")!.keys()].filter((key) => key.includes(".millrace-")),
      ...[...fake.uploads.values()].map(({ key }) => `upload of ${key}`),
    ],
    close: async () => {},
  };
}
