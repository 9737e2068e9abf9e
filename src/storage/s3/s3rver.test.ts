// The same suite over HTTP, against a server that others wrote.
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StorageUnderTest, storageConformance } from "../../../test/conformance/storage.ts";
import { type RunningS3, startS3rver } from "../../../test/support/s3rver.ts";
import { systemClock } from "../../base/system/clock.ts";
import { s3AccessFrom } from "./access.ts";
import { S3Client } from "./api/client.ts";
import { nodeTransport } from "./api/transport.ts";
import { decodeToken, destinationOf, urlIn } from "./names.ts";
import { S3Objects } from "./objects.ts";
import { createS3Storage } from "./s3.ts";

let server: RunningS3;
beforeAll(async () => {
  server = await startS3rver("bucket");
});
afterAll(() => server.close());

let round = 0;
storageConformance("s3rver", async () => underTest());

function underTest(): StorageUnderTest {
  const access = () => s3AccessFrom(server.env);
  const options = { access, clock: systemClock, random: () => 0, transport: nodeTransport() };
  const objects = new S3Objects(new S3Client({ ...options, pathStyle: undefined }));
  const top = `test${round++}`;
  const below = (destination: string) => `${destination.slice("s3://bucket/".length)}/`;
  const contents = async (prefix: string) => {
    const found = new Map<string, string>();
    for (const { key } of await objects.listAll("bucket", prefix)) {
      const { bytes } = (await objects.get({ bucket: "bucket", key }))!;
      found.set(key.slice(prefix.length), bytes.toString("utf8"));
    }
    return found;
  };
  return {
    storage: createS3Storage({ ...options, spoolDirectory: tmpdir, partBytes: 3 }),
    root: `s3://bucket/${top}/in/`,
    put: async (name, content) => {
      await objects.put({ bucket: "bucket", key: `${top}/in/${name}` }, Buffer.from(content));
      return `s3://bucket/${top}/in/${name}`;
    },
    destination: (name) => `s3://bucket/${top}/${name}`,
    published: async (destination) => {
      const all = [...(await contents(below(destination)))].filter(([name]) => !name.startsWith(".millrace-"));
      return all.length === 0 ? undefined : new Map(all);
    },
    lose: async (destination, file) => {
      const url = destinationOf(destination);
      await objects.abortUpload(urlIn(url, file.name), decodeToken(file, url).upload);
    },
    // This server does not list the parts of an upload.
    cut: undefined,
    leftovers: async () => [...(await contents(`${top}/`)).keys()].filter((key) => key.includes(".millrace-")),
    close: async () => {},
  };
}

test("the server: a client that dies in the middle of a request leaves nothing, as with any store", async () => {
  const { storage, put, root } = underTest();
  await put("there", "before");
  const { host, port, hostname } = new URL(server.url);
  for (const name of ["there", "new"]) {
    const socket = connect(Number(port), hostname);
    const path = `${root.slice("s3:/".length)}${name}`;
    socket.write(`PUT ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 100\r\n\r\nhalf`);
    await expect.poll(() => server.log.at(-1)).toBe(`PUT ${path}`);
    socket.destroy();
  }
  const files = await storage.list(root);
  expect(files.map(({ path, bytes }) => [path.slice(root.length), bytes])).toEqual([["there", 6]]);
});
