import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf } from "../../../test/conformance/format.ts";
import { MillraceError } from "../../base/error.ts";
import { type Compression, decompress, detectCompression, limitRatio, memberCompressor } from "./compress.ts";

const inflated = async (compression: Compression, bytes: Uint8Array, size = 1 << 20) => {
  const content: Uint8Array[] = [];
  for await (const chunk of decompress(compression, chunksOf(bytes, size))) content.push(Uint8Array.from(chunk));
  return Buffer.concat(content).toString("latin1");
};
const failure = async (compression: Compression, bytes: Uint8Array, size?: number) => {
  const error: unknown = await inflated(compression, bytes, size).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MillraceError);
  return error as MillraceError;
};

describe.each(["gzip", "zstd"] as const)("%s", (compression) => {
  it("reads back members written one behind the other, in chunks of any size", async () => {
    const compress = await memberCompressor(compression);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 50 }),
        async (members, size) => {
          const file = Buffer.concat(members.map(compress));
          expect(detectCompression(file)).toBe(compression);
          expect(await inflated(compression, file, size)).toBe(Buffer.concat(members).toString("latin1"));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("reads large content", async () => {
    const compress = await memberCompressor(compression);
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `line ${(i * 7919) % 100_003}\n`).join(""));
    const file = Buffer.concat([compress(content.subarray(0, 1_000_000)), compress(content.subarray(1_000_000))]);
    expect(await inflated(compression, file, 100_000)).toBe(content.toString("latin1"));
  });

  it("makes the same bytes every time, and a readable file of nothing", async () => {
    const compress = await memberCompressor(compression);
    expect(compress(Buffer.from("abc"))).toEqual(compress(Buffer.from("abc")));
    expect(await inflated(compression, compress(new Uint8Array(0)))).toBe("");
  });

  it("fault 73: says that a file cut anywhere ends too early", async () => {
    const compress = await memberCompressor(compression);
    const first = compress(Buffer.from("first member\n"));
    const file = Buffer.concat([first, compress(Buffer.from("hello hello hello hello"))]);
    for (let length = 1; length < file.length; length++) {
      if (length === first.length) continue;
      const error = await failure(compression, file.subarray(0, length), 7);
      expect(error).toMatchObject({ code: "bad-input" });
      expect(error.message, `${length} bytes`).toMatch(
        // For node:zlib two bytes are a header, and a wrong one.
        length === 2 ? /damaged/ : /ends too early, at or behind compressed byte \d/,
      );
    }
  });

  it("fault 73: refuses what follows the last member", async () => {
    const compress = await memberCompressor(compression);
    const file = compress(Buffer.from("hello"));
    for (const garbage of ["garbage", "\u0001", "0123456789abcdef", "\u001f\u008b\u0000"]) {
      const error = await failure(compression, Buffer.concat([file, Buffer.from(garbage, "latin1")]));
      expect(error).toMatchObject({ code: "bad-input" });
    }
  });

  it("fault 73: never gives other content for a flipped bit without an error, unless the bit carries none", async () => {
    const compress = await memberCompressor(compression);
    const content = "the quick brown fox jumps over the lazy dog; ".repeat(3);
    const file = compress(Buffer.from(content));
    let refused = 0;
    let changed = 0;
    for (let bit = 0; bit < file.length * 8; bit++) {
      const flipped = Uint8Array.from(file);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const result = await inflated(compression, flipped).catch((error: unknown) => {
        expect(error).toBeInstanceOf(MillraceError);
        refused++;
      });
      if (result !== undefined && result !== content) changed++;
    }
    expect(refused).toBeGreaterThan(0);
    // The zstd frames of this library carry no checksum: the manifest's SHA-256 guards published files.
    if (compression === "gzip") expect(changed).toBe(0);
  });

  it("passes on what reading the file threw", async () => {
    const compress = await memberCompressor(compression);
    const thrown = new MillraceError("input-changed", "it changed");
    async function* broken() {
      yield compress(Buffer.from("hello"));
      throw thrown;
    }
    const reading = async () => {
      for await (const _ of decompress(compression, broken()));
    };
    await expect(reading()).rejects.toBe(thrown);
  });

  it("stops reading the file when its reader stops", async () => {
    const compress = await memberCompressor(compression);
    const member = compress(Buffer.alloc(600_000, "abcdefg"));
    let isClosed = false;
    async function* endless() {
      try {
        for (;;) yield member;
      } finally {
        isClosed = true;
      }
    }
    for await (const chunk of decompress(compression, endless())) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(isClosed).toBe(true);
  });
});

describe("gzip", () => {
  it("carries neither time nor system, and other programs can read it", async () => {
    const compress = await memberCompressor("gzip");
    const member = compress(Buffer.from("hello"));
    expect([...member.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, expect.any(Number), 255]);
    expect(gunzipSync(Buffer.concat([member, member])).toString()).toBe("hellohello");
  });

  it("names the file's fault when noise follows padding in a later chunk, and leaves no error that no one listens for", async () => {
    const unheard: unknown[] = [];
    const note = (error: unknown) => void unheard.push(error);
    process.on("uncaughtException", note);
    try {
      const noise = Buffer.concat([gzipSync("hello"), Buffer.alloc(10), randomBytes(1_000_000)]);
      for (const size of [64, 4096, 65_536]) {
        const error = await failure("gzip", noise.subarray(0, size * 16), size);
        expect(error).toMatchObject({ code: "bad-input", message: expect.stringMatching(/gzip data is damaged/) });
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      process.off("uncaughtException", note);
    }
    expect(unheard).toEqual([]);
  });

  it("fault 73: takes zero bytes behind the last member for padding, but nothing behind those", async () => {
    const member = gzipSync("hello");
    for (const size of [1, 5, 1000]) {
      expect(await inflated("gzip", Buffer.concat([member, Buffer.alloc(10)]), size)).toBe("hello");
      const error = await failure("gzip", Buffer.concat([member, Buffer.alloc(10), member]), size);
      expect(error.message).toMatch(/follows zero bytes/);
    }
  });
});

describe("zstd", () => {
  it("reads what the zstd program writes: no content size, checksums, skippable frames, repeated bytes", async () => {
    let program = true;
    try {
      execFileSync("zstd", ["--version"]);
    } catch {
      program = false;
    }
    // Made by `printf 'abc' | zstd -q --no-content-size --check | xxd -p`.
    const fixed = Buffer.from("28b52ffd0458190000616263990977ad", "hex");
    const wanted = program ? execFileSync("zstd", ["-q", "--check", "-c"], { input: "abc" }) : fixed;
    expect(await inflated("zstd", wanted, 1)).toBe("abc");
    const skippable = Buffer.from("502a4d1803000000616263", "hex");
    expect(detectCompression(skippable)).toBe("zstd");
    expect(await inflated("zstd", Buffer.concat([skippable, wanted, skippable, wanted]), 3)).toBe("abcabc");
    if (!program) return;
    const zeros = Buffer.alloc(3_000_000);
    expect(await inflated("zstd", execFileSync("zstd", ["-q", "-c"], { input: zeros }), 11)).toBe(
      zeros.toString("latin1"),
    );
  });
});

describe("limitRatio", () => {
  it("fault 73: stops a bomb by its ratio", async () => {
    const inflate = async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) for (let i = 0; i < 100; i++) yield chunk;
    };
    const read = async (ratioMax: number, bytesMin: number) => {
      let bytes = 0;
      for await (const chunk of limitRatio(chunksOf(new Uint8Array(100), 10), inflate, ratioMax, bytesMin))
        bytes += chunk.length;
      return bytes;
    };
    expect(await read(100, 0)).toBe(10_000);
    await expect(read(50, 100)).rejects.toThrow(/10 compressed bytes have become 510, more than 50 times/);
    expect(await read(50, 10_000)).toBe(10_000);
  });
});

describe("detectCompression", () => {
  it.each(["", "\x1f", "plain text", "PK\x03\x04", "\x28\xb5\x2f"])("takes %j for not compressed", (head) => {
    expect(detectCompression(Buffer.from(head, "latin1"))).toBe("none");
  });
});
