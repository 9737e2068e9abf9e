// A store that answers wrongly: each kind of request x each kind of fault in its answer. The result is either right, or
// an error that says what is wrong; it is never a part, never something else, and never an endless wait.
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { FakeS3 } from "../../../test/support/fake-s3.ts";
import { fakeAccess, impatientClock, s3StorageOn } from "../../../test/support/s3.ts";
import { crc32cOf } from "../../base/bytes/crc32c.ts";
import { crc64nvmeOf } from "../../base/bytes/crc64nvme.ts";
import { limits, MiB } from "../../base/limits.ts";
import { encodeManifest } from "../manifest.ts";
import { S3Client, type S3ClientOptions } from "./api/client.ts";
import { S3Error } from "./api/error.ts";
import { type HttpRequest, type HttpResponse, nodeTransport, type S3Transport } from "./api/transport.ts";
import { bodyOf, S3Objects } from "./objects.ts";

const content = Buffer.from("some bytes that are more than a few, line after line after line\n");
const url = { bucket: "bucket", key: "in/there" };
const etag = createHash("md5").update(content).digest("hex");

let fake: FakeS3;
beforeEach(() => {
  fake = new FakeS3({ pageSize: 3 });
  fake.put("bucket", "in/there", content);
  for (let i = 0; i < 7; i++) fake.put("bucket", `in/${i} é&<`, `content of ${i}`);
});

function objectsOver(transport: S3Transport, clock: S3ClientOptions["clock"] = impatientClock): S3Objects {
  return new S3Objects(new S3Client({ access: () => fakeAccess, clock, random: () => 0, transport }));
}

/** One kind of request: its right result, and whether its answer has a body that means something. */
interface Operation {
  readonly hasBody: boolean;
  /** The first try had its effect, and the second try learns that. */
  readonly isKnownLater?: true;
  readonly isAsked: (request: Pick<HttpRequest, "method" | "url">) => boolean;
  readonly run: (objects: S3Objects) => Promise<unknown>;
  /** The result of the fault-free answer. */
  readonly right: () => unknown;
}

const upload = async () => await objectsOver(fake.transport()).createUpload({ bucket: "bucket", key: "out/new" }, {});
const newPlace = { bucket: "bucket", key: "out/new" };
const isList = ({ url }: Pick<HttpRequest, "url">) => url.includes("list-type=2");

const operations: Readonly<Record<string, Operation>> = {
  HeadObject: {
    hasBody: false,
    isAsked: ({ method }) => method === "HEAD",
    run: async (objects) => (await objects.head(url))?.bytes,
    right: () => content.length,
  },
  GetObject: {
    hasBody: true,
    isAsked: ({ method }) => method === "GET",
    run: async (objects) => (await objects.get(url))?.bytes.toString(),
    right: () => content.toString(),
  },
  "GetObject, a range": {
    hasBody: true,
    isAsked: ({ method }) => method === "GET",
    run: async (objects) => {
      const found = await objects.range(url, { etag, bytes: content.length }, 5, 25);
      return found.kind === "bytes" ? found.bytes.toString() : found.kind;
    },
    right: () => content.toString().slice(5, 25),
  },
  ListObjectsV2: {
    hasBody: true,
    isAsked: isList,
    run: async (objects) => (await objects.listAll("bucket", "in/")).map(({ key }) => key),
    right: () => [...fake.contents("bucket").keys()].filter((key) => key.startsWith("in/")),
  },
  "ListObjectsV2 of one level": {
    hasBody: true,
    isAsked: isList,
    run: async (objects) => {
      const found: string[] = [];
      for await (const page of objects.list("bucket", "", { delimiter: "/" })) found.push(...page.prefixes);
      return found;
    },
    right: () => ["in/"],
  },
  PutObject: {
    hasBody: false,
    isAsked: ({ method }) => method === "PUT",
    run: (objects) => objects.put(newPlace, content),
    right: () => true,
  },
  DeleteObject: {
    hasBody: false,
    isAsked: ({ method }) => method === "DELETE",
    run: (objects) => objects.remove(url),
    right: () => undefined,
  },
  CreateMultipartUpload: {
    hasBody: true,
    isAsked: ({ method, url }) => method === "POST" && url.includes("uploads="),
    run: async (objects) => fake.uploads.has(await objects.createUpload(newPlace, {})),
    right: () => true,
  },
  UploadPart: {
    hasBody: false,
    isAsked: ({ url }) => url.includes("partNumber="),
    run: async (objects) => await objects.uploadPart(newPlace, await upload(), 1, bodyOf(content)),
    right: () => etag,
  },
  CompleteMultipartUpload: {
    hasBody: true,
    isKnownLater: true,
    isAsked: ({ method, url }) => method === "POST" && url.includes("uploadId="),
    run: async (objects) => {
      const id = await upload();
      await objectsOver(fake.transport()).uploadPart(newPlace, id, 1, bodyOf(content));
      await objects.completeUpload(newPlace, id, [etag]);
      return fake.contents("bucket").get("out/new");
    },
    right: () => content.toString(),
  },
  AbortMultipartUpload: {
    hasBody: false,
    isAsked: ({ method, url }) => method === "DELETE" && url.includes("uploadId="),
    run: async (objects) => {
      const id = await upload();
      await objects.abortUpload(newPlace, id);
      return fake.uploads.has(id);
    },
    right: () => false,
  },
  ListMultipartUploads: {
    hasBody: true,
    isAsked: ({ method, url }) => method === "GET" && url.includes("uploads="),
    run: async (objects) => {
      for (let i = 0; i < 5; i++) await upload();
      return (await objects.listUploads("bucket", "out/"))?.map((each) => each.upload).length === fake.uploads.size;
    },
    right: () => true,
  },
};

const page = Buffer.from("<!DOCTYPE html>\n<html><body>welcome to the hotel's network</body></html>");

/**
 * What is wrong with an answer; the request has had its effect. "body" faults apply only where the body means
 * something.
 */
const faults: Readonly<
  Record<string, { readonly of: "body" | "all"; readonly make: (right: HttpResponse) => HttpResponse }>
> = {
  "is cut in the middle": {
    of: "body",
    make: ({ body, ...right }) => ({ ...right, body: body.subarray(0, body.length / 2) }),
  },
  "lacks its last byte": {
    of: "body",
    make: ({ body, ...right }) => ({ ...right, body: body.subarray(0, body.length - 1) }),
  },
  "is empty": { of: "body", make: (right) => ({ ...right, body: Buffer.alloc(0) }) },
  "is a proxy's page": {
    of: "all",
    make: () => ({ status: 200, headers: { "content-type": "text/html", "content-length": "72" }, body: page }),
  },
  "is a proxy's page of no type": { of: "all", make: () => ({ status: 200, headers: {}, body: page }) },
  "is a proxy's page that says 404": {
    of: "all",
    make: () => ({ status: 404, headers: { "content-type": "text/html; charset=utf-8" }, body: page }),
  },
  "is an error with a status of success": {
    of: "all",
    make: () => ({
      status: 200,
      headers: {},
      body: Buffer.from("<?xml version='1.0'?>\n<Error><Code>InternalError</Code></Error>"),
    }),
  },
  "is the answer to another request": {
    of: "all",
    make: () => ({ status: 200, headers: {}, body: Buffer.from("<LocationConstraint>eu</LocationConstraint>") }),
  },
};

function answering(
  operation: Operation,
  answer: (request: HttpRequest, right: () => Promise<HttpResponse>) => Promise<HttpResponse>,
): { readonly transport: S3Transport; readonly tries: () => number } {
  const plain = fake.transport();
  let tries = 0;
  return {
    tries: () => tries,
    transport: async (request) => {
      if (!operation.isAsked(request)) return await plain(request);
      tries++;
      return await answer(request, () => plain(request));
    },
  };
}

for (const [name, operation] of Object.entries(operations)) {
  describe(`the answer to ${name}`, () => {
    test("is taken where nothing is wrong with it", async () => {
      expect(await operation.run(objectsOver(fake.transport()))).toEqual(operation.right());
    });

    for (const [what, { of, make }] of Object.entries(faults)) {
      // A request that removes something may be answered with any document: it has had its effect.
      const isHarmless = what.includes("another request") && /Delete|Abort/.test(name);
      if ((of === "body" && !operation.hasBody) || isHarmless) continue;
      if (of === "all" || operation.isKnownLater !== true)
        test(`${what}: an error after four tries`, async () => {
          const { transport, tries } = answering(operation, async (_, right) => make(await right()));
          const error = await operation.run(objectsOver(transport)).then(
            (value) => expect.unreachable(`it gave ${JSON.stringify(value)}`),
            (thrown: unknown) => thrown,
          );
          expect(error).toBeInstanceOf(S3Error);
          expect(tries()).toBe(limits.storeTriesMax);
        });

      test(`${what}, once: it is asked for again`, async () => {
        let isFirst = true;
        const { transport, tries } = answering(operation, async (_, right) => {
          const answer = await right();
          if (!isFirst) return answer;
          isFirst = false;
          return make(answer);
        });
        expect(await operation.run(objectsOver(transport))).toEqual(operation.right());
        expect(tries()).toBeGreaterThan(1);
      });
    }

    for (const [what, isDripping] of [
      ["never comes", false],
      ["comes a byte in ten seconds", true],
    ] as const) {
      test(`${what}: given up within ${limits.storeSilentMsMax / 1000} s`, async () => {
        const clock = new FakeClock();
        let waiting = 0;
        const { transport, tries } = answering(operation, async ({ signal, watch }) => {
          waiting++;
          const over = new Promise<never>((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
          });
          if (isDripping) {
            watch?.step();
            void (async () => {
              for (; !signal.aborted; watch?.moved(1)) await clock.sleep(10_000, signal);
            })();
          }
          return await over.finally(() => waiting--);
        });
        let error: unknown;
        const running = operation.run(objectsOver(transport, clock)).then(
          () => expect.unreachable("it came"),
          (thrown: unknown) => {
            error = thrown;
          },
        );
        while (error === undefined) await clock.pass(waiting > 0 ? 500 : 0);
        await running;
        expect(error).toMatchObject({ code: "ETIMEDOUT" });
        expect(tries()).toBe(limits.storeTriesMax);
        expect(clock.now()).toBeGreaterThanOrEqual(4 * limits.storeIdleMs);
        expect(clock.now()).toBeLessThanOrEqual(limits.storeSilentMsMax);
      });
    }

    test("is not waited for when no one wants it any more", async () => {
      const stop = new AbortController();
      const { transport } = answering(operation, async ({ signal }) => {
        queueMicrotask(() => stop.abort());
        return await new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        });
      });
      const objects = objectsOver(transport, new FakeClock()).for({ signal: stop.signal });
      await expect(operation.run(objects)).rejects.toMatchObject({ code: "cancelled" });
    });
  });
}

describe("a list", () => {
  const listing = (inside: string) =>
    Buffer.from(
      `<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/">${inside}</ListBucketResult>`,
    );
  const entry = (key: string, more = "<Size>1</Size><ETag>&quot;e&quot;</ETag>") =>
    `<Contents>\n  <Key>${key}</Key>${more}<Owner><ID>me</ID></Owner></Contents>`;
  const whole = "<IsTruncated>false</IsTruncated>";
  const list = (body: Buffer, prefix = "") => {
    let tries = 0;
    const objects = objectsOver(async () => {
      if (++tries > 1000) throw new Error("it is asked for without end");
      return { status: 200, headers: {}, body };
    });
    return objects.listAll("bucket", prefix);
  };

  test("any beginning of it is an error, or all of it", async () => {
    const body = listing(`${whole}<KeyCount>3</KeyCount>${entry("a")}${entry("b&amp;&#x1F600;")}${entry("é")}\n`);
    const all = await list(body);
    expect(all.map(({ key }) => key)).toEqual(["a", "b&\u{1F600}", "é"]);
    for (let length = 0; length < body.length; length++) {
      const found = await list(body.subarray(0, length)).catch((thrown: unknown) => thrown);
      if (!(found instanceof S3Error)) expect({ length, found }).toEqual({ length, found: all });
    }
  });

  for (const [what, inside, message] of [
    ["says nothing of its end", entry("a"), /whether it is the whole list/],
    ["counts other keys than it holds", `${whole}<KeyCount>2</KeyCount>${entry("a")}`, /2.* keys and holds 1/],
    ["goes on, and doesn't say where", "<IsTruncated>true</IsTruncated>", /not where/],
    [
      "goes round",
      "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
      /round in circles/,
    ],
    ["holds what was not asked for", `${whole}${entry("in/a")}${entry("other")}`, /"other".*not asked for/],
    ["holds a key twice", `${whole}${entry("in/a")}${entry("in/a")}`, /"in\/a" twice/],
    ["is in no order", `${whole}${entry("in/b")}${entry("in/a")}`, /not in order/],
    ["holds a size below nothing", `${whole}${entry("in/a", "<Size>-1</Size><ETag>e</ETag>")}`, /the size "-1"/],
    ["holds an endless size", `${whole}${entry("in/a", "<Size>1e400</Size><ETag>e</ETag>")}`, /the size "1e400"/],
    ["holds an empty size", `${whole}${entry("in/a", "<Size></Size><ETag>e</ETag>")}`, /the size ""/],
    ["holds a key without an etag", `${whole}${entry("in/a", "<Size>1</Size>")}`, /no etag/],
    ["holds no key", `${whole}${entry("")}`, /a key is missing/],
    [
      "holds the number of no character",
      `${whole}${entry("in/&#1114112;")}`,
      /&#1114112; is the number of no character/,
    ],
    ["holds half a character", `${whole}${entry("in/&#xD800;")}`, /&#xD800; is the number of no character/],
    ["holds a huge number", `${whole}${entry("in/&#99999999999999999999;")}`, /number of no character/],
    ["ends and goes on", `${whole}</ListBucketResult><ListBucketResult>`, /something follows/],
    ["nests wrongly", `${whole}<Contents><Key>in/a</Contents></Key>`, /closes nothing/],
    ["defines entities", `<!DOCTYPE x [<!ENTITY a "b">]>${whole}`, /nothing that stores answer/],
    ["holds a broken code", `<EncodingType>url</EncodingType>${whole}${entry("in/%zz")}`, /no encoded key/],
  ] as const) {
    test(`that ${what} is named`, async () => {
      await expect(list(listing(inside), /goes|says|counts/.test(what) ? "" : "in/")).rejects.toMatchObject({
        name: "S3Error",
        message: expect.stringMatching(message),
      });
    });
  }

  test("of a store that walks through folders is in another order, and taken", async () => {
    const names = ["in/a/z", "in/a-b", "in/b"];
    const found = await list(listing(whole + names.map((name) => entry(name)).join("")), "in/");
    expect(found.map(({ key }) => key)).toEqual(names);
  });

  test("that has no end is named: pages that hold nothing, pages that hold the same again", async () => {
    for (const [key, message] of [
      [undefined, /hold nothing/],
      ["in/a", /twice/],
    ] as const) {
      let pages = 0;
      const objects = objectsOver(async () => {
        const inside = `<IsTruncated>true</IsTruncated><NextContinuationToken>${++pages}</NextContinuationToken>`;
        return { status: 200, headers: {}, body: listing(inside + (key === undefined ? "" : entry(key))) };
      });
      await expect(objects.listAll("bucket", "in/")).rejects.toMatchObject({ message: expect.stringMatching(message) });
      expect(pages).toBeLessThan(2 * limits.storeEmptyPagesMax);
    }
  });

  test("is looked through in one pass, however it was made", async () => {
    const big = 4 * MiB;
    for (const text of [
      "<Contents><Key>",
      "<Key>",
      "</Key>",
      "<",
      "<a b='",
      "&#1",
      "<!--",
      "<![CDATA[",
      "<?",
      "<a/>",
      "]]>",
    ]) {
      const body = listing(whole + text.repeat(Math.ceil(big / text.length)));
      await expect(list(body)).rejects.toBeInstanceOf(S3Error);
    }
    const objects = objectsOver(async () => ({ status: 200, headers: {}, body: Buffer.alloc(10), isCut: true }));
    await expect(objects.listAll("bucket", "")).rejects.toMatchObject({
      message: expect.stringContaining("more than"),
    });
  });

  test("of several requests costs so much silence in all, not for each", async () => {
    const clock = new FakeClock();
    const plain = fake.transport();
    let waiting = 0;
    let asked = 0;
    // Each is answered when it is asked for the third time.
    const storage = s3StorageOn(fake, {
      clock,
      random: () => 0,
      transport: async (request) => {
        if (++asked % 3 === 0) return await plain(request);
        waiting++;
        return await new Promise<never>((_, reject) => {
          request.signal.addEventListener("abort", () => reject(request.signal.reason as Error), { once: true });
        }).finally(() => waiting--);
      },
    });
    let error: unknown;
    const running = storage.list("s3://bucket/in").catch((thrown: unknown) => {
      error = thrown;
    });
    while (error === undefined) await clock.pass(waiting > 0 ? 500 : 0);
    await running;
    expect(error).toMatchObject({ code: "io-error" });
    expect(clock.now()).toBeLessThanOrEqual(limits.storeSilentMsMax);
  });
});

describe("a range", () => {
  const ask = (change: (right: HttpResponse) => HttpResponse, start = 5, end = 25) => {
    const plain = fake.transport();
    const objects = objectsOver(async (request) => change(await plain(request)));
    return objects.range(url, { etag, bytes: content.length }, start, end);
  };

  test("that is another one, of another length or of another object is never taken for it", async () => {
    const range = (text: string) => (right: HttpResponse) => ({
      ...right,
      headers: { ...right.headers, "content-range": text },
    });
    for (const text of [
      "bytes 6-25/64",
      "bytes 5-30/64",
      "bytes 5-4/64",
      "bytes 5-64/64",
      "bytes 5-/64",
      "",
      "lines 5-24/64",
    ]) {
      await expect(ask(range(text))).rejects.toBeInstanceOf(S3Error);
    }
    expect(await ask(range("bytes 5-24/65"))).toEqual({ kind: "changed" });
    const other = (right: HttpResponse) => ({ ...right, headers: { ...right.headers, etag: '"other"' } });
    expect(await ask(other)).toEqual({ kind: "changed" });
  });

  test("from a store that gives no ranges: the beginning is taken, and what is behind it is refused by name", async () => {
    const all = ({ headers }: HttpResponse): HttpResponse => ({
      status: 200,
      headers: { etag: headers["etag"]!, "content-length": String(content.length) },
      body: content.subarray(0, 25),
    });
    expect(await ask(all, 0, 25)).toMatchObject({ kind: "bytes", bytes: content.subarray(0, 25) });
    await expect(ask(all)).rejects.toMatchObject({ message: expect.stringContaining("gives no ranges") });
  });
});

describe("what is read whole", () => {
  const flipped = (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    copy[copy.length >> 1]! ^= 1;
    return copy;
  };
  /** The same store, but one bit of a byte in its objects is flipped. */
  const damaging = (damages: (request: HttpRequest) => boolean, headers: Record<string, string> = {}) => {
    const plain = fake.transport();
    return s3StorageOn(fake, {
      transport: async (request) => {
        const right = await plain(request);
        const isObject = request.method === "GET" && right.status < 300 && !isList(request);
        return {
          ...right,
          headers: { ...right.headers, ...(isObject ? headers : {}) },
          body: isObject && damages(request) ? flipped(right.body) : right.body,
        };
      },
    });
  };
  async function readAll(storage: ReturnType<typeof s3StorageOn>, argument: string, cuts: readonly number[] = []) {
    const [file] = await storage.list(argument);
    const bounds = [0, ...cuts, file!.bytes];
    const parts: Buffer[] = [];
    for (let i = 1; i < bounds.length; i++) {
      for await (const chunk of storage.read(file!, bounds[i - 1]!, bounds[i]!)) parts.push(Buffer.from(chunk));
    }
    return Buffer.concat(parts);
  }
  const large = Buffer.alloc(3 * MiB + 17, "a line of many\n");

  test("a damaged byte is found by the etag that is an MD5, in a small file and in a large one, also one that is read on and on", async () => {
    fake.put("bucket", "large", large);
    expect(
      (
        await readAll(
          damaging(() => false),
          "s3://bucket/large",
          [5, MiB],
        )
      ).equals(large),
    ).toBe(true);
    for (const [key, cuts] of [
      ["in/there", []],
      ["large", []],
      ["large", [70_000, 2 * MiB]],
    ] as const) {
      await expect(
        readAll(
          damaging(() => true),
          `s3://bucket/${key}`,
          cuts,
        ),
      ).rejects.toMatchObject({
        code: "io-error",
        retry: "elsewhere",
        message: expect.stringMatching(/other bytes came.*MD5/),
      });
    }
  });

  test("by the store's own checksums, and an etag that is no MD5 is not taken for one", async () => {
    const object = fake.buckets.get("bucket")!.get("in/there")!;
    const sums = {
      "x-amz-checksum-sha256": createHash("sha256").update(content).digest("base64"),
      "x-amz-checksum-sha1": createHash("sha1").update(content).digest("base64"),
      "x-amz-checksum-crc32": "",
    };
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE((await import("node:zlib")).crc32(content));
    sums["x-amz-checksum-crc32"] = crc.toString("base64");
    for (const etagNow of [`${etag}-2`, "0123456789abcdef0123456789abcdef"]) {
      fake.buckets.get("bucket")!.set("in/there", { ...object, etag: etagNow });
      const kms = { "x-amz-server-side-encryption": "aws:kms" };
      for (const [name, value] of Object.entries(sums)) {
        const headers = { ...kms, [name]: value };
        expect(
          (
            await readAll(
              damaging(() => false, headers),
              "s3://bucket/in/there",
            )
          ).equals(content),
        ).toBe(true);
        await expect(
          readAll(
            damaging(() => true, headers),
            "s3://bucket/in/there",
          ),
        ).rejects.toThrow(/other bytes came/);
        const ofParts = { ...kms, [name]: `${value}-2` };
        expect(
          await readAll(
            damaging(() => true, ofParts),
            "s3://bucket/in/there",
          ),
        ).toHaveLength(content.length);
      }
      expect(
        await readAll(
          damaging(() => true, kms),
          "s3://bucket/in/there",
        ),
      ).toHaveLength(content.length);
    }
  });

  /** The checksums of these bytes, as stores word them. */
  function checksumsOf(bytes: Buffer): Record<string, string> {
    const words = (...each: readonly number[]) => {
      const encoded = Buffer.alloc(4 * each.length);
      each.forEach((word, index) => void encoded.writeUInt32BE(word, 4 * index));
      return encoded.toString("base64");
    };
    const { high, low } = crc64nvmeOf(bytes);
    return {
      "x-amz-checksum-sha256": createHash("sha256").update(bytes).digest("base64"),
      "x-amz-checksum-sha1": createHash("sha1").update(bytes).digest("base64"),
      "x-amz-checksum-crc32": words(crc32(bytes)),
      "x-amz-checksum-crc32c": words(crc32cOf(bytes)),
      "x-amz-checksum-crc64nvme": words(high, low),
    };
  }

  test("each of the store's checksums of the whole finds a turned bit: in one answer, after a look at the beginning, and in many answers", async () => {
    const sizes = { one: content, some: large.subarray(0, 200_000), many: large };
    for (const [key, bytes] of Object.entries(sizes)) {
      for (const [name, value] of Object.entries(checksumsOf(bytes))) {
        const checksums = { [name]: value, "x-amz-checksum-type": "FULL_OBJECT" };
        fake.buckets.get("bucket")!.set(key, { body: bytes, etag: "0123456789abcdef-3", metadata: {}, checksums });
        const path = `s3://bucket/${key}`;
        const right = damaging(() => false);
        for await (const chunk of right.read((await right.list(path))[0]!, 0, 10)) expect(chunk).toHaveLength(10);
        expect((await readAll(right, path)).equals(bytes)).toBe(true);
        const wrong = damaging(({ method }) => method === "GET");
        for await (const chunk of wrong.read((await wrong.list(path))[0]!, 0, 10)) expect(chunk).toHaveLength(10);
        await expect(readAll(wrong, path), `${name} of ${key}`).rejects.toMatchObject({
          code: "io-error",
          retry: "elsewhere",
          message: expect.stringContaining("other bytes came"),
        });
      }
    }
  });

  test("a checksum of the parts' checksums is never compared with the bytes, whether it says so by its type, by its number, or not at all", async () => {
    const wrong = Object.fromEntries(Object.entries(checksumsOf(Buffer.from("other"))));
    const numbered = Object.fromEntries(Object.entries(wrong).map(([name, value]) => [name, `${value}-2`]));
    for (const bytes of [content, large]) {
      for (const checksums of [{ ...wrong, "x-amz-checksum-type": "COMPOSITE" }, numbered]) {
        fake.buckets.get("bucket")!.set("parts", { body: bytes, etag: "0123456789abcdef-2", metadata: {}, checksums });
        const all = await readAll(
          damaging(() => false),
          "s3://bucket/parts",
        );
        expect(all.equals(bytes)).toBe(true);
      }
      // A store that sends it with a range leaves out the number.
      fake.buckets.get("bucket")!.set("parts", { body: bytes, etag: "0123456789abcdef-2", metadata: {} });
      const plain = fake.transport();
      const storage = s3StorageOn(fake, {
        transport: async (request) => {
          const answer = await plain(request);
          return answer.status === 206 ? { ...answer, headers: { ...answer.headers, ...wrong } } : answer;
        },
      });
      expect((await readAll(storage, "s3://bucket/parts")).equals(bytes)).toBe(true);
    }
  });

  test("the store is asked for checksums only where nothing else is known", async () => {
    fake.put("bucket", "large", large);
    fake.put("bucket", "ours", large, { "millrace-sha256": createHash("sha256").update(large).digest("hex") });
    fake.buckets.get("bucket")!.set("ours", { ...fake.buckets.get("bucket")!.get("ours")!, etag: "abc-2" });
    fake.buckets.get("bucket")!.set("other", { body: large, etag: "abc-2", metadata: {} });
    const heads = async (key: string, cuts: readonly number[] = []) => {
      const storage = damaging(() => false);
      const [file] = await storage.list(`s3://bucket/${key}`);
      fake.log.length = 0;
      for (const [start, end] of [
        [0, cuts[0] ?? file!.bytes],
        [cuts[0] ?? file!.bytes, file!.bytes],
      ]) {
        for await (const chunk of storage.read(file!, start!, end!)) expect(chunk.length).toBeGreaterThan(0);
      }
      return fake.log.filter((line) => line.startsWith("HEAD")).length;
    };
    expect(await heads("large")).toBe(0);
    expect(await heads("ours")).toBe(0);
    expect(await heads("other")).toBe(1);
    expect(await heads("other", [2 * MiB])).toBe(0);
  });

  test("a file of an output by its manifest's SHA-256, and the manifest by its own", async () => {
    const object = fake.buckets.get("bucket")!.get("in/there")!;
    const sha256 = createHash("sha256").update(content).digest("hex");
    const manifest = encodeManifest({
      job: { name: "j", id: "1", bundle: "", params: "", startedAt: "" },
      partitions: 1,
      files: [{ name: "part-00000.tsv", output: "main", bytes: content.length, records: 1, sha256 }],
      counters: {},
      stats: { inputBytes: 0, map: {}, reduce: {} },
      versions: { millrace: "0", node: "0" },
    });
    fake.put("bucket", "out/_SUCCESS", manifest);
    fake.buckets.get("bucket")!.set("out/part-00000.tsv", { ...object, etag: `${etag}-1` });
    expect(
      (
        await readAll(
          damaging(() => false),
          "s3://bucket/out",
        )
      ).equals(content),
    ).toBe(true);
    const ofPart = damaging(({ url }) => url.includes("part-"));
    await expect(readAll(ofPart, "s3://bucket/out")).rejects.toThrow(/other bytes came.*SHA-256/);
    const ofManifest = damaging(({ url }) => url.endsWith("_SUCCESS"), { "x-amz-server-side-encryption": "aws:kms" });
    await expect(readAll(ofManifest, "s3://bucket/out")).rejects.toMatchObject({ code: "corrupt-output" });
  });
});

describe("over a socket", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function serving(answer: Parameters<typeof createServer>[1]): Promise<S3Objects> {
    server = createServer(answer!);
    await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const access = () => ({ ...fakeAccess, endpoint: `http://127.0.0.1:${port}` });
    return new S3Objects(new S3Client({ access, clock: impatientClock, random: () => 0, transport: nodeTransport() }));
  }
  const list = `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size><ETag>e</ETag></Contents></ListBucketResult>`;

  test("an answer of another length than it says, one cut in a chunk, and one that ends with its connection are not taken for all of it", async () => {
    let tries = 0;
    const objects = await serving((request, response) => {
      tries++;
      const half = list.slice(0, 60);
      if (tries === 1) {
        response.writeHead(200, { "content-length": list.length });
        response.write(half, () => request.socket.destroy());
      } else if (tries === 2) {
        response.write(half, () => request.socket.destroy());
      } else if (tries === 3) {
        request.socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${half}`);
      } else response.end(list);
    });
    expect(await objects.listAll("bucket", "")).toHaveLength(1);
    expect(tries).toBe(4);
  });

  test("an answer that says that it is larger than any is not waited for", async () => {
    const objects = await serving((_, response) => {
      response.writeHead(200, { "content-length": 1e10 });
      response.write("x");
    });
    await expect(objects.listAll("bucket", "")).rejects.toMatchObject({
      message: expect.stringContaining("more than"),
    });
    await expect(objects.get(url)).rejects.toMatchObject({ message: expect.stringContaining("more than") });
  });

  test("a store that takes none of a request, one that answers nothing and one that stops in its answer are given up", async () => {
    const clock = new FakeClock();
    const reached: string[] = [];
    server = createServer((request, response) => {
      reached.push(request.method!);
      if (request.method === "PUT") return void request.pause();
      if (request.method === "HEAD") return;
      response.writeHead(200, { "content-length": list.length });
      response.write(list.slice(0, 60));
    });
    await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const access = () => ({ ...fakeAccess, endpoint: `http://127.0.0.1:${port}` });
    const plain = nodeTransport();
    let sent = 0;
    let open = 0;
    const transport: S3Transport = async (request) => {
      sent++;
      open++;
      return await plain(request).finally(() => open--);
    };
    const objects = new S3Objects(new S3Client({ access, clock, random: () => 0, transport }));
    const endless = { bytes: 40 * MiB, chunks: () => Array.from({ length: 40 }, () => Buffer.alloc(MiB)) };
    for (const [method, run] of [
      ["PUT", () => objects.uploadPart(url, "u", 1, endless)],
      ["HEAD", () => objects.head(url)],
      ["GET", () => objects.listAll("bucket", "")],
    ] as const) {
      reached.length = 0;
      sent = 0;
      let error: unknown;
      const running = run().catch((thrown: unknown) => {
        error = thrown;
      });
      while (error === undefined) {
        // Time passes only while the store holds a request.
        await clock.pass(open > 0 && reached.length === sent ? 1000 : 0);
      }
      await running;
      expect(reached).toEqual(Array.from({ length: limits.storeTriesMax }, () => method));
      expect(error).toMatchObject({ code: "ETIMEDOUT" });
    }
  });
});
