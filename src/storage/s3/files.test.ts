// Listing, reading and staging on an object store, beyond what every storage does.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { someAttempt, someJob, stagedDecision } from "../../../test/conformance/storage.ts";
import { FakeS3, type Fault } from "../../../test/support/fake-s3.ts";
import { impatientClock, s3StorageOn, visibleIn } from "../../../test/support/s3.ts";
import { limits, MiB } from "../../base/limits.ts";
import { createStorage } from "../any.ts";
import { accessFor, schemes } from "../schemes.ts";
import type { FileInfo, Storage } from "../storage.ts";
import { s3AccessFrom, unpackAccess } from "./access.ts";
import { nodeSpoolFs, type SpoolFs } from "./stage.ts";

let fake: FakeS3;
let storage: Storage;
let directory: string;
beforeEach(() => {
  fake = new FakeS3({ pageSize: 3 });
  storage = s3StorageOn(fake);
  directory = mkdtempSync(join(tmpdir(), "millrace-spool-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(...keys: readonly string[]): void {
  for (const key of keys) fake.put("bucket", key, `content of ${key}`);
}
const pathsOf = async (argument: string) =>
  (await storage.list(argument)).map(({ path }) => path.slice("s3://bucket/".length));
const code = (expected: string, message: RegExp | string = "") => ({
  code: expected,
  message: expect.stringMatching(message),
});

describe("listing", () => {
  test("a whole bucket, a folder with a slash and without, an object that is named like a folder", async () => {
    put("a", "d/1", "d/2", "d/sub/3", "d", "e");
    expect(await pathsOf("s3://bucket")).toEqual(["a", "d", "d/1", "d/2", "d/sub/3", "e"]);
    expect(await pathsOf("s3://bucket/")).toHaveLength(6);
    expect(await pathsOf("s3://bucket/d/")).toEqual(["d/1", "d/2", "d/sub/3"]);
    expect(await pathsOf("s3://bucket/d")).toEqual(["d"]);
    expect(await storage.stat("s3://bucket/d/")).toBeUndefined();
    await expect(storage.stat("s3://bucket")).rejects.toMatchObject(code("bad-input", /is a bucket/));
  });

  test("a folder is not what merely begins with its name; objects of no bytes that mark folders are none", async () => {
    put("logs-old/x", "logs/x");
    fake.put("bucket", "logs/", "");
    fake.put("bucket", "logs/deep/", "");
    fake.put("bucket", "empty/", "");
    expect(await pathsOf("s3://bucket/logs")).toEqual(["logs/x"]);
    expect(await pathsOf("s3://bucket/empty")).toEqual([]);
  });

  test("globs: any level, several segments, what exists by its name, folders that match", async () => {
    put(
      "2024/01/a.gz",
      "2024/02/b.gz",
      "2025/01/c.gz",
      "2025/01/c.txt",
      "x[1]/d.gz",
      "x1/e.gz",
      "2024/_x/f.gz",
      "y+z@(1)/g",
    );
    expect(await pathsOf("s3://bucket/*/01/*.gz")).toEqual(["2024/01/a.gz", "2025/01/c.gz"]);
    expect(await pathsOf("s3://bucket/2024/*")).toEqual(["2024/01/a.gz", "2024/02/b.gz"]);
    expect(await pathsOf("s3://bucket/202?/0[12]/?.gz")).toEqual(["2024/01/a.gz", "2024/02/b.gz", "2025/01/c.gz"]);
    expect(await pathsOf("s3://bucket/{2024/02,2025/01}/*.gz")).toEqual(["2024/02/b.gz", "2025/01/c.gz"]);
    expect(await pathsOf("s3://bucket/**/c.*")).toEqual(["2025/01/c.gz", "2025/01/c.txt"]);
    expect(await pathsOf("s3://bucket/2025/**")).toEqual(["2025/01/c.gz", "2025/01/c.txt"]);
    expect(await pathsOf("s3://bucket/x[1]/*")).toEqual(["x[1]/d.gz"]);
    expect(await pathsOf("s3://bucket/2024/!(01)/*.gz")).toEqual(["2024/02/b.gz"]);
    expect(await pathsOf("s3://bucket/y+z@(1)/*")).toEqual(["y+z@(1)/g"]);
    expect(await pathsOf("s3://bucket/nothing/*")).toEqual([]);
  });

  test("a glob looks at the level that it is about, not at the whole bucket", async () => {
    fake = new FakeS3();
    storage = s3StorageOn(fake);
    put("a/1.txt", ...Array.from({ length: 50 }, (_, index) => `a/deep/${index}`));
    expect(await pathsOf("s3://bucket/a/*.txt")).toEqual(["a/1.txt"]);
    // Nor does it ask for each object by itself.
    expect(fake.log.filter((line) => line.startsWith("HEAD"))).toHaveLength(1);
    expect(fake.log.filter((line) => line.includes("prefix=a/"))).toEqual(
      expect.arrayContaining([expect.stringContaining("delimiter=/")]),
    );
  });

  test("an output that lost a file, or has one of another size, is refused as input; one inside another is part of it", async () => {
    const destination = "s3://bucket/top/out";
    const contents = { "part-00000.tsv": "abc", "part-00001.tsv": "def" };
    await storage.publish(await stagedDecision(storage, destination, contents));
    put("top/other");
    expect(await pathsOf("s3://bucket/top")).toEqual(["top/other", "top/out/part-00000.tsv", "top/out/part-00001.tsv"]);
    expect(await pathsOf("s3://bucket/*")).toHaveLength(3);
    put("top/out/stray", "top/out/deep/_SUCCESS");
    expect(await pathsOf("s3://bucket/top")).toHaveLength(3);
    fake.put("bucket", "top/out/part-00001.tsv", "de");
    await expect(storage.list("s3://bucket/top")).rejects.toMatchObject(
      code("corrupt-output", /part-00001.tsv has 2 bytes, but 3/),
    );
    fake.buckets.get("bucket")!.delete("top/out/part-00001.tsv");
    await expect(storage.list(destination)).rejects.toMatchObject(code("corrupt-output", /part-00001.tsv .*missing/));
  });

  test("a manifest of another system is no manifest: the folder is read as it is", async () => {
    for (const manifest of ["", '{"name":"other committer"}']) {
      fake.put("bucket", "theirs/_SUCCESS", manifest);
      put("theirs/part-r-00000");
      expect(await pathsOf("s3://bucket/theirs")).toEqual(["theirs/part-r-00000"]);
    }
  });

  test("fault 67: paths that no request can carry are refused, and no bucket, no access say so", async () => {
    for (const path of [
      "s3://bucket/a/../b",
      "s3://bucket/./a",
      "s3:///a",
      "s3://b_ucket!/a",
      `s3://bucket/${"x".repeat(1025)}`,
      "s3://bucket/\uD800",
    ]) {
      await expect(storage.list(path)).rejects.toMatchObject({ code: "wrong-usage" });
      await expect(storage.stat(path)).rejects.toMatchObject({ code: "wrong-usage" });
    }
    await expect(storage.list("s3://other/a")).rejects.toMatchObject(code("bad-input", /no such bucket/));
    const denied = s3StorageOn(fake, { before: () => ({ kind: "status", status: 403, code: "AccessDenied" }) });
    await expect(denied.list("s3://bucket/a")).rejects.toMatchObject(code("bad-input", /AWS_ACCESS_KEY_ID.*allowed/));
    for (const [status, name] of [
      [301, "PermanentRedirect"],
      [307, "TemporaryRedirect"],
      [400, "AuthorizationHeaderMalformed"],
    ] as const) {
      const elsewhere = s3StorageOn(fake, { before: () => ({ kind: "status", status, code: name }) });
      await expect(elsewhere.list("s3://bucket/a")).rejects.toMatchObject(code("wrong-usage", /set AWS_REGION/));
      await expect(elsewhere.prepare("s3://bucket/out", false)).rejects.toMatchObject(
        code("wrong-usage", /AWS_REGION/),
      );
    }
    const late = s3StorageOn(fake, { before: () => ({ kind: "status", status: 403, code: "RequestTimeTooSkewed" }) });
    await expect(late.list("s3://bucket/a")).rejects.toMatchObject({
      ...code("io-error", /clock is wrong/),
      retry: "elsewhere",
    });
  });
});

describe("reading", () => {
  const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31) % 251));

  async function read(from: Storage, file: FileInfo, start = 0, end = file.bytes): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of from.read(file, start, end)) {
      expect(chunk.length).toBeLessThanOrEqual(limits.inputChunkBytes);
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks);
  }

  test("any request failing a few times goes unnoticed; a store that fails on is an error that may be tried again", async () => {
    fake.put("bucket", "big", content);
    const file = (await storage.stat("s3://bucket/big"))!;
    const faults: readonly Fault[] = [
      { kind: "reset" },
      { kind: "lost" },
      { kind: "status", status: 503, code: "SlowDown" },
    ];
    for (let n = 0; ; n++) {
      let requests = 0;
      const some = s3StorageOn(fake, {
        before: () => (requests++ >= n && requests <= n + 3 ? faults[requests % 3] : undefined),
      });
      expect((await read(some, file)).equals(content)).toBe(true);
      if (requests <= n) break;
      let more = 0;
      const all = s3StorageOn(fake, { before: () => (more++ >= n ? faults[n % 3] : undefined) });
      await expect(read(all, file)).rejects.toMatchObject({ ...code("io-error", /big/), retry: "elsewhere" });
    }
  });

  test("fault 74: changed, removed and cut in the middle of reading, also on a store that ignores If-Match", async () => {
    for (const conditional of [true, false]) {
      for (const change of ["rewritten", "cut", "removed"] as const) {
        fake = new FakeS3({ conditional });
        fake.put("bucket", "big", content);
        const file = (await s3StorageOn(fake).stat("s3://bucket/big"))!;
        let requests = 0;
        const reading = s3StorageOn(fake, {
          before: () => {
            if (++requests === 2) {
              if (change === "removed") fake.buckets.get("bucket")!.delete("big");
              else fake.put("bucket", "big", change === "cut" ? content.subarray(0, 10) : Buffer.from(content).fill(1));
            }
            return undefined;
          },
        });
        await expect(read(reading, file)).rejects.toMatchObject(code("input-changed", /s3:\/\/bucket\/big changed/));
      }
    }
  });

  test("a store that answers with fewer bytes than were asked for, and says so, is asked for the rest; one that says nothing of it is wrong", async () => {
    fake.put("bucket", "big", content);
    const file = (await storage.stat("s3://bucket/big"))!;
    const plain = fake.transport();
    const short = s3StorageOn(fake, {
      transport: async (request) => {
        const response = await plain(request);
        const body = response.body.subarray(0, Math.ceil(response.body.length / 2));
        const start = Number(/^bytes (\d+)-/.exec(response.headers["content-range"] ?? "")?.[1]);
        const range = `bytes ${start}-${start + body.length - 1}/${content.length}`;
        return { ...response, body, headers: { ...response.headers, "content-range": range } };
      },
    });
    expect((await read(short, file)).equals(content)).toBe(true);
    const cut = s3StorageOn(fake, {
      transport: async (request) => {
        const response = await plain(request);
        return { ...response, body: response.body.subarray(0, response.body.length - 1) };
      },
    });
    await expect(read(cut, file)).rejects.toMatchObject(code("io-error", /were announced/));
    const nothing = s3StorageOn(fake, {
      transport: async (request) => ({ ...(await plain(request)), body: Buffer.alloc(0) }),
    });
    await expect(read(nothing, file)).rejects.toMatchObject({ code: "io-error", retry: "elsewhere" });
  });

  test("who reads a little pays for a little: small first requests, none after leaving", async () => {
    fake.put("bucket", "big", Buffer.alloc(20 * MiB));
    const file = (await storage.stat("s3://bucket/big"))!;
    fake.log.length = 0;
    let asked = 0;
    const counting = s3StorageOn(fake, {
      before: ({ headers }) => {
        const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(headers["range"] ?? "")!;
        asked += Number(end) + 1 - Number(start);
        return undefined;
      },
    });
    for await (const _ of counting.read(file, 100, file.bytes)) break;
    expect(asked).toBeLessThanOrEqual(1 * MiB);
    asked = 0;
    expect(await read(counting, file, 0, 64)).toHaveLength(64);
    expect(asked).toBe(64);
    // Every split looks at the beginning of its file.
    for (let split = 0; split < 10; split++) await read(counting, file, 0, limits.headBytes);
    expect(asked).toBe(limits.headBytes);
    fake.log.length = 0;
    await read(counting, file);
    expect(fake.log.length).toBe(1 + 3);
  });
});

describe("staging", () => {
  const destination = "s3://bucket/out";

  test("a file of many parts is published whole, its local copy without a name and gone", async () => {
    const parts = s3StorageOn(fake, { partBytes: 1000, spoolDirectory: () => directory });
    const content = "0123456789".repeat(1234);
    const decision = await stagedDecision(parts, destination, { "part-00000.tsv": content, "part-00001.tsv": "" });
    expect(readdirSync(directory)).toEqual([]);
    expect(visibleIn(fake, destination)).toBeUndefined();
    await parts.publish(decision);
    expect(visibleIn(fake, destination)?.get("part-00000.tsv")).toBe(content);
    expect(fake.log.filter((line) => line.includes("partNumber=")).length).toBe(13 + 1);
  });

  test("any request failing a few times goes unnoticed; failing on is an error that may be tried elsewhere, and leaves nothing", async () => {
    const faults: readonly Fault[] = [
      { kind: "reset" },
      { kind: "lost" },
      { kind: "status", status: 500, code: "InternalError" },
    ];
    for (let n = 0; ; n++) {
      let requests = 0;
      const some = s3StorageOn(fake, {
        partBytes: 10,
        before: () => (requests++ >= n && requests <= n + 3 ? faults[requests % 3] : undefined),
      });
      const decision = await stagedDecision(some, destination, { "part-00000.tsv": "0123456789abcdef" });
      const count = requests;
      await storage.publish(decision);
      expect(visibleIn(fake, destination)?.get("part-00000.tsv")).toBe("0123456789abcdef");
      for (const key of fake.contents("bucket").keys()) fake.buckets.get("bucket")!.delete(key);
      fake.uploads.clear();
      if (count <= n) break;
      let more = 0;
      // The store comes back when the writer has given up.
      const isDown = () => more++ >= n && more < n + 20;
      const failing = s3StorageOn(fake, { partBytes: 10, before: () => (isDown() ? faults[n % 3] : undefined) });
      const job = someJob();
      const writer = failing.stage(destination, someAttempt(job), "part-00000.tsv");
      writer.write(Buffer.from("0123456789abcdef"));
      await expect(writer.finish()).rejects.toMatchObject({
        ...code("io-error", /Uploading s3:\/\/bucket\/out\/part-00000.tsv/),
        retry: "elsewhere",
      });
      writer.abort();
      await storage.discard(destination, job);
      // An upload whose id was lost with the answer has no bytes.
      expect([...fake.uploads.values()].every(({ parts }) => parts.size === 0)).toBe(true);
      fake.uploads.clear();
      expect(fake.contents("bucket").size).toBe(0);
    }
  });

  test("fault 60: a full local disk is said, whenever it is; the short write before it is no silent loss", async () => {
    for (const failAt of ["openSync", "writeSync"] as const) {
      let writes = 0;
      const full: SpoolFs = {
        ...nodeSpoolFs,
        [failAt]: () => {
          if (failAt === "writeSync" && writes++ === 0) return 3;
          throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
        },
      };
      const small = s3StorageOn(fake, { spoolFs: full, spoolDirectory: () => directory });
      const staging = () => {
        const writer = small.stage(destination, someAttempt(someJob()), "part-00000.tsv");
        try {
          writer.write(Buffer.from("more than three"));
        } finally {
          writer.abort();
        }
      };
      expect(staging).toThrow(expect.objectContaining({ ...code("no-space", /--work-dir/), retry: "elsewhere" }));
    }
    expect(fake.log).toEqual([]);
  });

  test("a local copy that was cut is not uploaded as if it were whole", async () => {
    const cut: SpoolFs = { ...nodeSpoolFs, readSync: () => 0 };
    const writer = s3StorageOn(fake, { spoolFs: cut }).stage(destination, someAttempt(someJob()), "part-00000.tsv");
    writer.write(Buffer.from("bytes"));
    await expect(writer.finish()).rejects.toMatchObject({ code: "corrupt-output", retry: "elsewhere" });
    writer.abort();
    expect(fake.uploads.size).toBe(0);
  });

  test("what can't be an output is refused before any work: a bucket, an object, no bucket, no permission", async () => {
    await expect(storage.prepare("s3://bucket", false)).rejects.toMatchObject(code("wrong-usage", /whole bucket/));
    await expect(storage.prepare("s3://bucket/a//b", false)).rejects.toMatchObject(code("wrong-usage", /empty part/));
    await expect(storage.prepare("s3://bucket/a/../b", false)).rejects.toMatchObject(code("wrong-usage"));
    await expect(storage.prepare("s3://other/out", false)).rejects.toMatchObject(code("wrong-usage", /no such bucket/));
    put("file");
    await expect(storage.prepare("s3://bucket/file", false)).rejects.toMatchObject(
      code("output-exists", /is an object/),
    );
    const readOnly = s3StorageOn(fake, {
      before: ({ method }) => (method === "POST" ? { kind: "status", status: 403, code: "AccessDenied" } : undefined),
    });
    await expect(readOnly.prepare(destination, false)).rejects.toMatchObject(
      code("wrong-usage", /can't be made.*allowed/),
    );
    put("out/.hidden");
    await expect(storage.prepare(destination, false)).rejects.toMatchObject(code("output-exists"));
    expect(fake.uploads.size).toBe(0);
  });

  test("other jobs' staged files are in nobody's way", async () => {
    await stagedDecision(storage, destination, { "part-00000.tsv": "x" });
    expect(await storage.prepare(`${destination}/`, false)).toEqual({ replaces: undefined });
    expect(await storage.prepare(destination, true)).toEqual({ replaces: undefined });
  });
});

describe("any storage", () => {
  test("paths go where their scheme says; an unknown one is refused wherever it comes", async () => {
    const any = createStorage({ access: () => undefined });
    expect(await any.list(directory)).toEqual([]);
    await expect(any.list("s3://bucket/a")).rejects.toMatchObject(code("wrong-usage", /AWS_ACCESS_KEY_ID/));
    for (const path of ["gs://bucket/a", "https://host/a", "hdfs://a/b"]) {
      const refusal = code("wrong-usage", /s3:\/\/BUCKET\/KEY/);
      await expect(any.list(path)).rejects.toMatchObject(refusal);
      await expect(any.stat(path)).rejects.toMatchObject(refusal);
      await expect(any.prepare(path, false)).rejects.toMatchObject(refusal);
      await expect(any.discard(path, "job")).rejects.toMatchObject(refusal);
      expect(() => any.stage(path, someAttempt(someJob()), "part")).toThrow(/s3:\/\/BUCKET\/KEY/);
    }
  });

  test("only s3:// needs credentials; they are named as Amazon's tools name them", () => {
    const keys = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
    for (const [name, value] of Object.entries(keys)) vi.stubEnv(name, value);
    try {
      expect(Object.keys(accessFor(["/a", "b/s3://c", "gs://x", "constructor://x", "s3:/a"]))).toEqual([]);
      expect(Object.keys(accessFor(["/a", "S3://bucket/key"]))).toEqual(["s3"]);
    } finally {
      vi.unstubAllEnvs();
    }
    expect(s3AccessFrom({})).toBeUndefined();
    expect(s3AccessFrom({ ...keys, AWS_SECRET_ACCESS_KEY: "" })).toBeUndefined();
    expect(s3AccessFrom(keys)).toMatchObject({ region: "us-east-1", endpoint: undefined, sessionToken: undefined });
    const all = {
      ...keys,
      AWS_SESSION_TOKEN: "token",
      AWS_DEFAULT_REGION: "a",
      AWS_REGION: "b",
      AWS_ENDPOINT_URL: "http://x",
      AWS_ENDPOINT_URL_S3: "http://y",
    };
    const access = s3AccessFrom(all)!;
    expect(access).toMatchObject({ region: "b", endpoint: "http://y" });
    expect([access.secretAccessKey.reveal(), access.sessionToken?.reveal()]).toEqual(["secret", "token"]);
    expect(JSON.stringify(access)).not.toMatch(/secret"|token"/);
    const packed = schemes["s3"]!.accessFrom!(all)!;
    expect(unpackAccess(packed)).toEqual(access);
    const { secretAccessKey, sessionToken } = unpackAccess(packed);
    expect([secretAccessKey.reveal(), sessionToken?.reveal()]).toEqual(["secret", "token"]);
    for (const shown of [String(packed), JSON.stringify({ packed }), inspect({ packed }, { showHidden: true })])
      expect(shown).not.toMatch(/secret|token|http/);
  });
});

test("the clock of these tests lets no deadline pass", async () => {
  const stop = new AbortController();
  const deadline = impatientClock.sleep(30_000, stop.signal);
  await impatientClock.sleep(10_000);
  stop.abort();
  await deadline;
});
