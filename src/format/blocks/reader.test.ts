import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf } from "../../../test/conformance/format.ts";
import { MiB } from "../../base/limits.ts";
import { BadRecord } from "../format.ts";
import { delimited, overlapsItself, quotedLines } from "./boundary.ts";
import { readBlocks } from "./reader.ts";

interface Read {
  readonly content: string;
  readonly bases: readonly number[];
  readonly bad: BadRecord | undefined;
}

async function read(
  bytes: Uint8Array,
  size: number,
  recordBytesMax: number,
  boundary = delimited(Uint8Array.of(10)),
  start = 0,
): Promise<Read> {
  let content = "";
  const bases: number[] = [];
  try {
    const from = { start, end: Number.POSITIVE_INFINITY, head: new Uint8Array(0) };
    for await (const block of readBlocks(chunksOf(bytes.subarray(start), size), from, { boundary, recordBytesMax })) {
      content += block.bytes.toString("latin1");
      bases.push(block.base);
    }
  } catch (thrown) {
    if (!(thrown instanceof BadRecord)) throw thrown;
    return { content, bases, bad: thrown };
  }
  return { content, bases, bad: undefined };
}

describe("records over the limit", () => {
  it.each([1000, 65_535, 65_536, 100_000, 1 << 20])(
    "fault 77: are refused with their place and beginning, in chunks of %i bytes, and can be skipped",
    async (size) => {
      const bytes = Buffer.from(`ok\n123${"x".repeat(80_000)}\nfine\nlast one${"x".repeat(90_000)}`);
      const first = await read(bytes, size, 70_000);
      expect(first.content).toBe("ok\n");
      expect(first.bad).toMatchObject({ start: 3, end: 80_007 });
      expect(first.bad!.message).toBe("the record has 80,004 bytes, more than the limit of 68.4 KiB");
      expect(Buffer.from(first.bad!.bytes).toString()).toMatch(/^123x+$/);
      const second = await read(bytes, size, 70_000, undefined, 80_007);
      expect(second.content).toBe("fine\n");
      expect(second.bad).toMatchObject({ start: 80_012, end: bytes.length });
      expect((await read(bytes, size, 90_008)).content).toBe(bytes.toString());
    },
  );

  it("fault 77: do not fill memory: of a line of 300 MiB never more than the limit is held", async () => {
    const chunk = Buffer.alloc(1 * MiB, "x");
    let peak = 0;
    async function* endless() {
      for (let i = 0; i < 300; i++) {
        yield chunk;
        peak = Math.max(peak, process.memoryUsage().arrayBuffers);
      }
      yield Buffer.from("\nnext\n");
    }
    const before = process.memoryUsage().arrayBuffers;
    const reading = (async () => {
      const from = { start: 0, end: Number.POSITIVE_INFINITY, head: chunk.subarray(0, 65536) };
      for await (const _ of readBlocks(endless(), from, {
        boundary: delimited(Uint8Array.of(10)),
        recordBytesMax: 8 * MiB,
      }));
    })();
    await expect(reading).rejects.toMatchObject({ start: 0, end: 300 * MiB + 1 });
    expect(peak - before).toBeLessThan(64 * MiB);
  });
});

describe("boundaries", () => {
  const ends = (bytes: Buffer, delimiter: Buffer) => {
    const found: number[] = [];
    for (let at = bytes.indexOf(delimiter); at >= 0; at = bytes.indexOf(delimiter, at + delimiter.length))
      found.push(at + delimiter.length);
    return found;
  };
  const quotedEnds = (bytes: Buffer) => {
    const found: number[] = [];
    let quotes = 0;
    for (const [i, byte] of bytes.entries()) {
      if (byte === 0x22) quotes++;
      if (byte === 10 && quotes % 2 === 0) found.push(i + 1);
    }
    return found;
  };
  const someBytes = fc
    .array(fc.constantFrom(0x61, 0x62, 10, 0x22), { maxLength: 40 })
    .map((bytes) => Buffer.from(bytes));

  it.each(["\n", "a", "ab", "aa", "aba", "abab", "quotes"])("of %j are found piece by piece as all at once", (name) => {
    const isQuoted = name === "quotes";
    const boundary = isQuoted ? quotedLines() : delimited(Buffer.from(name));
    fc.assert(
      fc.property(someBytes, fc.integer({ min: 1, max: 9 }), fc.nat(40), (bytes, size, cut) => {
        const expected = isQuoted ? quotedEnds(bytes) : ends(bytes, Buffer.from(name));
        const to = Math.min(cut, bytes.length);
        expect(boundary.lastEnd(bytes, 0, to)).toBe(expected.filter((end) => end <= to).at(-1) ?? -1);
        boundary.restart();
        let first = -1;
        for (let at = 0; at < bytes.length && first < 0; at += size) {
          const end = boundary.nextEnd(bytes.subarray(at, at + size), 0);
          if (end >= 0) first = at + end;
        }
        expect(first).toBe(expected[0] ?? -1);
      }),
      { numRuns: 500 },
    );
  });

  it("know which delimiters overlap themselves", () => {
    const overlapping = ["aa", "aba", "abab", "||", "\n-\n"];
    const others = ["a", "ab", "\r\n", "aab", "€", "ж"];
    for (const delimiter of overlapping) expect(overlapsItself(Buffer.from(delimiter)), delimiter).toBe(true);
    for (const delimiter of others) expect(overlapsItself(Buffer.from(delimiter)), delimiter).toBe(false);
  });
});

it("blocks are about 64 KiB, whole records each, and a longer record is one", async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `${"x".repeat(i === 9_999 ? 200_000 : i % 60)}\n`);
  const bytes = Buffer.from(lines.join(""));
  const { content, bases } = await read(bytes, 300_000, MiB);
  expect(content).toBe(bytes.toString());
  const sizes = bases.map((base, i) => (bases[i + 1] ?? bytes.length) - base);
  expect(sizes.filter((size) => size > 65_536)).toEqual([200_001]);
  for (const base of bases) expect(base === 0 || bytes[base - 1] === 10).toBe(true);
});
