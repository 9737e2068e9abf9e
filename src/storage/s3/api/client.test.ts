// Requests: signed, repeated while that helps, ended in time; and the faults of a network, over real sockets.

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { FakeS3, fakeCredentials } from "../../../../test/support/fake-s3.ts";
import { fakeAccess, impatientClock } from "../../../../test/support/s3.ts";
import { Secret } from "../../../base/value/secret.ts";
import type { S3Access } from "../access.ts";
import { bodyOf, S3Objects } from "../objects.ts";
import { S3Client, type S3ClientOptions } from "./client.ts";
import { S3Error } from "./error.ts";
import { type HttpRequest, nodeTransport, type S3Transport } from "./transport.ts";

const url = { bucket: "bucket", key: "a key" };

function objectsOver(transport: S3Transport, options: Partial<S3ClientOptions> = {}): S3Objects {
  return new S3Objects(
    new S3Client({
      access: () => fakeAccess,
      pathStyle: undefined,
      clock: impatientClock,
      random: () => 0.5,
      transport,
      ...options,
    }),
  );
}

function failure(promise: Promise<unknown>): Promise<S3Error> {
  return promise.then(
    () => expect.unreachable("it succeeded"),
    (error: unknown) => error as S3Error,
  );
}

describe("signatures", () => {
  test("the example of Amazon's documentation", async () => {
    let seen: HttpRequest | undefined;
    const client = new S3Client({
      // "GET Bucket Lifecycle" of "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
      access: () => ({
        ...fakeAccess,
        endpoint: "https://s3.amazonaws.com",
        accessKeyId: "AKIAIOSFODNN7EXAMPLE",
        secretAccessKey: new Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
      }),
      pathStyle: false,
      clock: { ...impatientClock, date: () => new Date("2013-05-24T00:00:00Z") },
      random: () => 0,
      transport: async (request) => {
        seen = request;
        return { status: 200, headers: {}, body: Buffer.alloc(0) };
      },
    });
    await client.send({ method: "GET", url: { bucket: "examplebucket", key: "" }, query: { lifecycle: "" } }, () => 0);
    expect(seen?.url).toBe("https://examplebucket.s3.amazonaws.com/?lifecycle=");
    expect(seen?.headers["authorization"]).toBe(
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
  });

  test("Amazon's own endpoint is that of the region; a bucket with dots is in the path", async () => {
    const urls: string[] = [];
    const objects = objectsOver(
      async ({ url }) => {
        urls.push(url);
        return { status: 404, headers: {}, body: Buffer.alloc(0) };
      },
      { access: () => ({ ...fakeAccess, endpoint: undefined, region: "eu-west-1" }) },
    );
    await objects.head({ bucket: "bucket", key: "k" });
    await objects.head({ bucket: "my.bucket", key: "k" });
    expect(urls).toEqual([
      "https://bucket.s3.eu-west-1.amazonaws.com/k",
      "https://s3.eu-west-1.amazonaws.com/my.bucket/k",
    ]);
  });

  test("fault 68: any key, prefix and metadata is signed as it is sent", async () => {
    const fake = new FakeS3();
    const objects = objectsOver(fake.transport());
    for (const key of [
      "a b",
      "a+b",
      "a%20b",
      "#?&=",
      "é/日本/\u{1F600}",
      "'q\"",
      "!*()",
      "a//b",
      "/",
      "~-._",
      "\n\t",
      "b\\s",
      ":@;,$",
    ]) {
      expect(await objects.put({ bucket: "bucket", key }, Buffer.from(key))).toBe(true);
      expect((await objects.get({ bucket: "bucket", key }))?.bytes.toString()).toBe(key);
      expect((await objects.listAll("bucket", key)).map((object) => object.key)).toContain(key);
      const upload = await objects.createUpload({ bucket: "bucket", key }, { note: "two  blanks " });
      expect(await objects.completeUpload({ bucket: "bucket", key }, upload, ["0"]).catch(() => false)).toBe(false);
      await objects.remove({ bucket: "bucket", key });
    }
    expect(fake.contents("bucket").size).toBe(0);
  });

  test("a session's token is sent; another region, another key and none are refused by name", async () => {
    const credentials = { ...fakeCredentials, sessionToken: "of the session" };
    const fake = new FakeS3({ credentials });
    const head = (access: S3Access | undefined) => objectsOver(fake.transport(), { access: () => access }).get(url);
    const withToken = { ...fakeAccess, sessionToken: new Secret("of the session") };
    expect(await head(withToken)).toBeUndefined();
    expect(await failure(head({ ...withToken, sessionToken: undefined }))).toMatchObject({ code: "InvalidToken" });
    expect(await failure(head({ ...withToken, region: "eu-west-1" }))).toMatchObject({
      code: "AuthorizationHeaderMalformed",
    });
    expect(await failure(head({ ...withToken, secretAccessKey: new Secret("other") }))).toMatchObject({
      status: 403,
      code: "SignatureDoesNotMatch",
    });
    await expect(head(undefined)).rejects.toMatchObject({
      code: "wrong-usage",
      message: expect.stringContaining("AWS_ACCESS_KEY_ID"),
    });
    await expect(head({ ...withToken, endpoint: "localhost:9000" })).rejects.toMatchObject({
      code: "wrong-usage",
      message: expect.stringContaining("AWS_ENDPOINT_URL"),
    });
  });

  test("S25: no error holds a key, a token or a signature", async () => {
    const access = {
      ...fakeAccess,
      secretAccessKey: new Secret("canary-key"),
      sessionToken: new Secret("canary-token"),
    };
    const errors = [
      await failure(objectsOver(new FakeS3().transport(), { access: () => access }).get(url)),
      await failure(objectsOver(() => Promise.reject(new Error("down")), { access: () => access }).get(url)),
    ];
    for (const error of errors) {
      const text = `${error.stack} ${JSON.stringify(error)} ${String(error.cause)} ${JSON.stringify(access)} ${access.secretAccessKey}`;
      expect(text).not.toMatch(/canary|Signature=/);
    }
  });
});

describe("tries", () => {
  test("server errors, throttling and lost connections are tried again, four times in all, with growing pauses", async () => {
    const fake = new FakeS3();
    for (const fault of [
      { kind: "reset" },
      { kind: "status", status: 500, code: "InternalError" },
      { kind: "status", status: 503, code: "SlowDown" },
      { kind: "status", status: 429, code: "" },
      { kind: "status", status: 400, code: "RequestTimeout" },
    ] as const) {
      let tries = 0;
      const pauses: number[] = [];
      const objects = objectsOver(
        fake.transport(() => {
          tries++;
          return fault;
        }),
        {
          clock: {
            ...impatientClock,
            sleep: (ms, signal) => {
              if (signal === undefined || ms < 15_000) pauses.push(ms);
              return impatientClock.sleep(ms, signal);
            },
          },
        },
      );
      await expect(objects.get(url)).rejects.toBeInstanceOf(S3Error);
      expect(tries).toBe(4);
      expect(pauses).toEqual([250, 1000, 4000]);
    }
  });

  test("what will not change is not tried again", async () => {
    for (const [status, code] of [
      [403, "AccessDenied"],
      [400, "InvalidPart"],
      [404, "NoSuchBucket"],
      [501, "NotImplemented"],
      [301, "PermanentRedirect"],
    ] as const) {
      let tries = 0;
      const objects = objectsOver(
        new FakeS3().transport(() => {
          tries++;
          return { kind: "status", status, code };
        }),
      );
      expect(await failure(objects.get(url))).toMatchObject({ status, code, isRetryable: false });
      expect(tries).toBe(1);
    }
  });

  test("an upload that is completed with success in the status and an error in the body has not been completed", async () => {
    const fake = new FakeS3();
    const upload = await objectsOver(fake.transport()).createUpload(url, {});
    const etag = await objectsOver(fake.transport()).uploadPart(url, upload, 1, bodyOf(Buffer.from("x")));
    let tries = 0;
    const objects = objectsOver(
      fake.transport(() => (tries++ < 2 ? { kind: "status", status: 200, code: "InternalError" } : undefined)),
    );
    expect(await objects.completeUpload(url, upload, [etag])).toBe(true);
    expect(tries).toBe(3);
    expect(fake.contents("bucket").get("a key")).toBe("x");
  });

  test("a listing that goes round in circles, is cut or is no listing ends in an error", async () => {
    for (const body of [
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></ListBucketResult>",
      "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
      "<ListBucketResult><Contents><Key>a</Key><Size>many</Size></Contents></ListBucketResult>",
      "<html>welcome to the hotel's network</html>",
      "",
    ]) {
      const transport: S3Transport = async () => ({ status: 200, headers: {}, body: Buffer.from(body) });
      await expect(objectsOver(transport).listAll("bucket", "")).rejects.toBeInstanceOf(S3Error);
    }
  });
});

describe("fault 53: over a socket", () => {
  let server: Server;
  afterEach(() => server?.close());

  /** Answers the n-th connection's first request with what `answers[n]` writes; later connections get the last one. */
  async function talking(...answers: ((socket: Socket) => void)[]): Promise<S3Objects> {
    let connections = 0;
    server = createServer((socket) => {
      const answer = answers[Math.min(connections++, answers.length - 1)]!;
      socket.on("error", () => {});
      socket.once("data", () => answer(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return objectsOver(nodeTransport(), { access: () => ({ ...fakeAccess, endpoint: `http://127.0.0.1:${port}` }) });
  }
  const head = (length: number) =>
    `HTTP/1.1 200 OK\r\netag: "e"\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n`;
  const whole = (socket: Socket) => socket.end(`${head(5)}whole`);

  test("a reset, a body that is too short, half a header: tried again, and then whole", async () => {
    const objects = await talking(
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.end(`${head(5)}who`),
      (socket) => {
        socket.write(`${head(5)}who`);
        setImmediate(() => socket.resetAndDestroy());
      },
      whole,
    );
    expect((await objects.get(url))?.bytes.toString()).toBe("whole");
    server.close();
    const others = await talking(
      (socket) => socket.end("HTTP/1.1 200"),
      (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
      (socket) => socket.end('HTTP/1.1 200 OK\r\netag: "e"\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwho'),
      whole,
    );
    expect((await others.get(url))?.bytes.toString()).toBe("whole");
  });

  test("nobody there", async () => {
    const objects = await talking(whole);
    await new Promise((resolve) => server.close(resolve));
    expect(await failure(objects.get(url))).toMatchObject({
      status: 0,
      code: "ECONNREFUSED",
      message: expect.stringContaining("127.0.0.1"),
    });
  });

  test("an answer far larger than was asked for is cut off where it is enough", async () => {
    const objects = await talking((socket) => {
      socket.write(head(1_000_000_000));
      const more = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65536, 97)));
        if (!socket.destroyed) socket.once("drain", more);
      };
      more();
    });
    const found = await objects.range(url, { etag: "e", bytes: 1_000_000_000 }, 0, 100_000);
    expect(found).toMatchObject({ kind: "bytes", bytes: { length: 100_000 } });
  });

  test("what is stored compressed comes as it is stored", async () => {
    const objects = await talking((socket) =>
      socket.end(
        `HTTP/1.1 200 OK\r\netag: "e"\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\nconnection: close\r\n\r\nGZIP`,
      ),
    );
    expect((await objects.get(url))?.bytes.toString()).toBe("GZIP");
  });

  test("a body that is sent while the store hangs up early", async () => {
    const objects = await talking((socket) => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
    const body = { bytes: 50_000_000, chunks: () => Array.from({ length: 50 }, () => Buffer.alloc(1_000_000)) };
    expect(await failure(objects.uploadPart(url, "u", 1, body))).toBeInstanceOf(S3Error);
  });
});
