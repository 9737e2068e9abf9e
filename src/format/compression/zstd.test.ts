import { constants } from "node:buffer";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf } from "../../../test/conformance/format.ts";
import { MillraceError } from "../../base/error.ts";
import { GiB, KiB, MiB } from "../../base/limits.ts";
import { decompress } from "./compress.ts";
import { unzstdBy } from "./zstd.ts";
import type { ZstdDecoder } from "./zstd-decoder.ts";
import { nativeZstd } from "./zstd-native.ts";
import { scriptZstd } from "./zstd-script.ts";

const native = nativeZstd();
const hasProgram = (() => {
  try {
    execFileSync("zstd", ["--version"]);
    return true;
  } catch {
    return false;
  }
})();

/** By what decodes: each way that a frame can go, on this Node. */
const ways: (readonly [string, () => Promise<ZstdDecoder>])[] = [
  ["WebAssembly", () => scriptZstd()],
  ["fzstd", () => scriptZstd(-1)],
  ...(native === undefined
    ? []
    : ([
        ["Node, at once", async () => ({ ...native, wholeBytesMax: 1 * GiB })],
        ["Node, as a stream", async () => ({ ...native, wholeBytesMax: -1 })],
      ] as const)),
];

async function read(decoder: ZstdDecoder, bytes: Uint8Array, size = 1 << 20, windowBytesMax?: number): Promise<Buffer> {
  const content: Uint8Array[] = [];
  for await (const chunk of unzstdBy(decoder, chunksOf(bytes, size), windowBytesMax))
    content.push(Uint8Array.from(chunk));
  return Buffer.concat(content);
}

async function failure(decoder: ZstdDecoder, bytes: Uint8Array, windowBytesMax?: number): Promise<MillraceError> {
  const error: unknown = await read(decoder, bytes, 1 << 20, windowBytesMax).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MillraceError);
  return error as MillraceError;
}

function zstd(content: Uint8Array, ...options: string[]): Buffer {
  return execFileSync("zstd", ["-q", "-c", ...options], { input: content, maxBuffer: constants.MAX_LENGTH });
}

/** Text of words, which compresses as logs do, in sequences of all kinds. */
function textOf(bytes: number, seed = 1): Buffer {
  let state = seed;
  const next = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const words = Array.from({ length: 500 }, () => next(2 ** 30).toString(36));
  const lines: string[] = [];
  for (let length = 0; length < bytes; ) {
    const line = `${next(1e9)} ${words[next(500)]} ${words[next(20)]} ${words[next(500)]}\n`;
    lines.push(line);
    length += line.length;
  }
  return Buffer.from(lines.join("")).subarray(0, bytes);
}

const collectGarbage = (() => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

const small = textOf(3_000);
/** `small` and its frame as the zstd program writes it, with a checksum and without a content size. */
const fixed = Buffer.from("28b52ffd0458190000616263990977ad", "hex"); // "abc"
const skippable = Buffer.from("502a4d1803000000616263", "hex");

describe.each(ways)("zstd by %s", (_, open) => {
  it("reads frames one behind the other, skippable and empty ones among them, in chunks of any size", async () => {
    const decoder = await open();
    // Made by `printf '' | zstd -c --no-check` and `printf '' | zstd -c`.
    const empty = ["28b52ffd2400010000", "28b52ffd0458010000"].map((hex) => Buffer.from(`${hex}99e9d851`, "hex"));
    const file = Buffer.concat([skippable, fixed, ...empty, skippable, fixed, skippable]);
    for (const size of [1, 3, 7, 1000]) expect((await read(decoder, file, size)).toString()).toBe("abcabc");
    expect(await read(decoder, Buffer.concat(empty))).toHaveLength(0);
    expect(await read(decoder, skippable)).toHaveLength(0);
  });

  it("fault 73: refuses a file that is cut anywhere, or has something behind it", async () => {
    const decoder = await open();
    const file = Buffer.concat([fixed, skippable, fixed]);
    const whole = [0, fixed.length, fixed.length + skippable.length, file.length];
    for (let length = 0; length < file.length; length++) {
      if (whole.includes(length)) continue;
      const error = await failure(decoder, file.subarray(0, length));
      expect(error, `${length} bytes`).toMatchObject({
        code: "bad-input",
        message: expect.stringMatching(/ends too early/),
      });
    }
    for (const garbage of [[0], [0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0x28, 0xb5, 0x2f, 0xfd]])
      expect(await failure(decoder, Buffer.concat([fixed, Buffer.from(garbage)]))).toMatchObject({ code: "bad-input" });
  });

  it("fault 73: names a dictionary, and blocks and headers that can't be", async () => {
    const decoder = await open();
    const of = async (hex: string) => (await failure(decoder, Buffer.from(hex, "hex"))).message;
    expect(await of("28b52ffd2107036161190000616263")).toMatch(/with a dictionary/);
    expect(await of("28b52ffd2803190000616263")).toMatch(/reserved bit/);
    expect(await of("28b52ffd20031f0000616263")).toMatch(/unknown type/);
    expect(await of(`28b52ffd2003${"210000"}61626364`)).toMatch(/larger than its frame allows/);
    for (const block of ["050000", "0d000000"])
      expect(await of(`28b52ffd0058${block}`)).toMatch(/block that is too small/);
    expect(await of("28b52ffd2004190000616263")).toMatch(/damaged/); // four bytes by its header, and has three
  });

  it.runIf(hasProgram)("reads what the zstd program writes, at all levels and with all its options", async () => {
    const decoder = await open();
    const noise = randomBytes(300_000);
    const contents = {
      nothing: Buffer.alloc(0),
      "one byte": Buffer.from("a"),
      text: textOf(700_000),
      noise,
      "noise twice": Buffer.concat([noise, noise]),
      zeros: Buffer.alloc(500_000),
      "one line": Buffer.from("the same line again\n".repeat(20_000)),
    };
    const options = ["--fast=5", "-1", "-3", "-9", "-19", "--long=27", "--no-check", "-T2", "--rsyncable", "-B1000000"];
    for (const [name, content] of Object.entries(contents)) {
      for (const option of options) {
        // The decoder in JavaScript has no window of 128 MiB.
        const long = decoder.windowBytesMax < 128 * MiB ? "--long=26" : option;
        const frame = zstd(
          content,
          ...(option === "-B1000000" ? ["-T2", option] : [option === "--long=27" ? long : option]),
        );
        const found = await read(decoder, frame, 100_000);
        expect(found.equals(content), `${name} by ${option}`).toBe(true);
      }
    }
  });

  it.runIf(hasProgram)("reads content of any kind, with and without its size in the header", async () => {
    const decoder = await open();
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 5_000 }))
        .map(([bytes, times]) => {
          const repeated = Buffer.alloc(Math.min(bytes.length * times, 200_000));
          return repeated.fill(bytes);
        }),
      fc.integer({ min: 1, max: 200_000 }).map((bytes) => textOf(bytes, bytes)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 5 }),
        fc.constantFrom("--fast=3", "-1", "-3", "-7", "-12", "-19"),
        fc.boolean(),
        fc.integer({ min: 1, max: 100_000 }),
        async (pieces, level, isSized, size) => {
          const content = Buffer.concat(pieces);
          const frame = zstd(content, level, ...(isSized ? [`--stream-size=${content.length}`] : []));
          expect((await read(decoder, frame, Math.max(size, frame.length >> 9))).equals(content)).toBe(true);
        },
      ),
      { numRuns: 15 },
    );
  });

  it.runIf(hasProgram)(
    "fault 73: refuses each flipped bit of a file with a checksum, or gives the same content",
    async () => {
      const decoder = await open();
      const file = zstd(small, "-3", `--stream-size=${small.length}`);
      let refused = 0;
      const bits = Array.from({ length: 900 }, (_, i) => (i < 200 ? i : (i * 7919) % (file.length * 8)));
      for (const bit of bits) {
        const flipped = Buffer.from(file);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const found = await read(decoder, flipped).catch((error: unknown) => {
          expect(error).toBeInstanceOf(MillraceError);
          expect((error as MillraceError).code).toMatch(/^(bad-input|not-supported)$/);
          refused++;
        });
        if (found !== undefined) expect(found.equals(small), `bit ${bit}`).toBe(true);
      }
      expect(refused).toBeGreaterThan(850);
    },
  );

  it("passes on what reading the file threw, and stops reading it when its reader stops", async () => {
    const decoder = await open();
    const thrown = new MillraceError("input-changed", "it changed");
    const broken = async function* () {
      yield fixed.subarray(0, 8);
      throw thrown;
    };
    const reading = async () => {
      for await (const _ of unzstdBy(decoder, broken()));
    };
    await expect(reading()).rejects.toBe(thrown);
    let isClosed = false;
    const endless = async function* () {
      try {
        for (;;) yield fixed;
      } finally {
        isClosed = true;
      }
    };
    for await (const chunk of unzstdBy(decoder, endless())) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(isClosed).toBe(true);
  });
});

describe("a zstd frame as a stream", () => {
  const streams = ways.filter(([name]) => name === "fzstd" || name.endsWith("stream"));

  it.each(streams)(
    "by %s says what to do about a window that memory can't hold, before it is decoded",
    async (_, open) => {
      const decoder = await open();
      // A window of 16 MiB, one block of one byte, and no content size.
      const frame = Buffer.from("28b52ffd00700b000061", "hex");
      expect((await read(decoder, frame, 5, 16 * MiB)).toString()).toBe("a");
      const error = await failure(decoder, frame, 16 * MiB - 1);
      expect(error).toMatchObject({ code: "not-supported" });
      expect(error.message).toMatch(/refers back over 16\.0 MiB of its content.*--memory.* long=23 at most/);
      expect(error.message.includes("Node 22.15")).toBe(!decoder.isNative);
      // A frame needs no more than it has.
      // 256 bytes by its header, in one block.
      expect(await read(decoder, Buffer.from("28b52ffd40700000030800" + "61", "hex"), 5, 256)).toHaveLength(256);
    },
  );

  it("names Node 22.15 where the decoder in JavaScript can't hold the window, and 2 GiB where no decoder can", async () => {
    const of = async (decoder: ZstdDecoder, descriptor: string) =>
      (await failure(decoder, Buffer.from(`28b52ffd00${descriptor}0b000061`, "hex"))).message;
    const script = await scriptZstd(-1);
    expect(await of(script, "84")).toMatch(/over 96\.0 MiB .* at most 88\.0 MiB .*Node 22\.15 or later.* long=26/);
    expect(await of(script, "a8")).toMatch(/over 2\.00 GiB .*Node 22\.15 or later/);
    if (native === undefined) return;
    const streaming = { ...native, wholeBytesMax: -1 };
    expect(await of(streaming, "a9")).toMatch(/at most 2\.00 GiB can be held here: compress it again/);
  });

  it.runIf(hasProgram)("verifies in JavaScript the checksum that the zstd program has written", async () => {
    const script = await scriptZstd(-1);
    for (const bytes of [0, 1, 31, 32, 33, 100, 131_072, 131_073, 1_000_003]) {
      const content = textOf(bytes);
      const file = zstd(content, "--check");
      expect((await read(script, file)).equals(content)).toBe(true);
      for (const back of [1, 2, 3, 4]) {
        const flipped = Buffer.from(file);
        flipped[file.length - back]! ^= 0x10;
        expect((await failure(script, flipped)).message).toMatch(/checksum is wrong/);
      }
    }
  });

  it.runIf(hasProgram)("is read in small pieces where it has more than is decoded at once, sized or not", async () => {
    const content = textOf(5 * MiB);
    const decoders = [await scriptZstd(2 * MiB), ...(native === undefined ? [] : [native])];
    for (const options of [[], [`--stream-size=${content.length}`]]) {
      const file = zstd(content, "-1", ...options);
      for (const decoder of decoders) {
        let at = 0;
        for await (const chunk of unzstdBy(decoder, chunksOf(file, 1 * MiB))) {
          expect(content.compare(chunk, 0, chunk.length, at, at + chunk.length)).toBe(0);
          expect(chunk.length).toBeLessThanOrEqual(256 * KiB);
          at += chunk.length;
        }
        expect(at).toBe(content.length);
      }
    }
  });

  it.each(streams)("by %s is let go of as it is read", async (_, open) => {
    const decoder = await open();
    const block = Buffer.alloc(3 + 128 * KiB, "stored as it is\n");
    block.writeUIntLE((128 * KiB) << 3, 0, 3);
    const empty = Buffer.alloc(3);
    // A window of 128 KiB, and 96 MiB of content, with empty blocks among it.
    const frame = async function* () {
      yield Buffer.from("28b52ffd0038", "hex");
      for (let i = 0; i < 768; i++) yield i % 100 === 50 ? Buffer.concat(Array(1_000).fill(empty)) : block;
      yield Buffer.from("010000", "hex");
    };
    let content = 0;
    let most = 0;
    // What one collection has found to be free is given back while the next one waits for it.
    const heldBytes = async () => {
      collectGarbage();
      await new Promise(setImmediate);
      collectGarbage();
      return process.memoryUsage().arrayBuffers;
    };
    const before = await heldBytes();
    for await (const chunk of unzstdBy(decoder, frame())) {
      if (Math.floor(content / (8 * MiB)) < Math.floor((content + chunk.length) / (8 * MiB)))
        most = Math.max(most, (await heldBytes()) - before);
      content += chunk.length;
    }
    expect(content).toBe(760 * 128 * KiB);
    expect(most).toBeLessThan(8 * MiB);
  });

  it("in JavaScript is what a frame is read as that the memory can't hold four times", async () => {
    const script = await scriptZstd();
    const wholes: number[] = [];
    const watched: ZstdDecoder = {
      ...script,
      whole: (frame, bytes, contentBytesMax) => {
        wholes.push(contentBytesMax);
        return script.whole(frame, bytes, contentBytesMax);
      },
    };
    // 3 MiB in blocks of one letter each; windows of 128 KiB and of 96 MiB, the latter too large for a stream.
    const frameOf = (descriptor: string) => Buffer.from(`28b52ffd00${descriptor}${"02001061".repeat(24)}010000`, "hex");
    for (const [descriptor, memory, whole] of [
      ["38", 12 * MiB, [3 * MiB]],
      ["38", 12 * MiB - 4, []],
      ["38", undefined, [3 * MiB]],
      ["84", 12 * MiB - 4, [3 * MiB]],
    ] as const) {
      expect((await read(watched, frameOf(descriptor), 1 << 20, memory)).length).toBe(3 * MiB);
      expect(wholes.splice(0)).toEqual(whole);
    }
  });

  it("fault 73: stops a bomb of repeated bytes by its ratio", async () => {
    const blocks = (count: number, block: string) => Buffer.from(block.repeat(count), "hex");
    // Blocks of 128 KiB of one letter, of four bytes each.
    const bomb = Buffer.concat([
      Buffer.from("28b52ffd0058", "hex"),
      blocks(2_000, "02001061"),
      Buffer.from("010000", "hex"),
    ]);
    const all = async () => {
      let bytes = 0;
      for await (const chunk of decompress("zstd", chunksOf(bomb, 100))) bytes += chunk.length;
      return bytes;
    };
    await expect(all()).rejects.toThrow(/more than 20000 times as many/);
  });
});
