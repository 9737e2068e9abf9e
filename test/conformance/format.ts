// What every format must do: however a file is cut into splits and chunks, it holds the same records; what is written
// is read back; offsets are true. Run by the test of each format.
import fc from "fast-check";
import { expect, it } from "vitest";
import { ByteBuffer } from "../../src/base/bytes/byte-buffer.ts";
import type { Format, InputFormat, ReadFrom, RecordTexts, ScannedFormat } from "../../src/format/format.ts";

export interface FormatSample<In> {
  readonly name: string;
  readonly content: Uint8Array | string;
  /** What a sequential reading gives, and where each record begins. */
  readonly records: readonly In[];
  readonly starts?: readonly number[];
}

export interface FormatConformance<In, Out> {
  readonly format: InputFormat<In> | Format<In, Out>;
  /** Small files: all splits of each by sizes from 1 byte upward are read, in chunks of several sizes. */
  readonly samples: readonly FormatSample<In>[];
  /** Records that must survive writing and reading, and what they are read as (default: themselves). */
  readonly written?: { readonly records: fc.Arbitrary<Out>; readonly readAs?: (record: Out) => unknown };
}

export function formatConformance<In, Out>(suite: FormatConformance<In, Out>): void {
  const { format, samples, written } = suite;

  it.each(samples)("reads $name", async ({ content, records, starts }) => {
    const all = await readAll(format, bytesOf(content));
    expect(all.records).toEqual(records);
    if (starts !== undefined) expect(all.starts).toEqual(starts);
    expect(all.starts).toHaveLength(records.length);
  });

  it("fault 71: gives the same records for chunks of every size", async () => {
    for (const { content, records } of samples) {
      const bytes = bytesOf(content);
      const { starts } = await readAll(format, bytes);
      for (let size = 1; size <= Math.min(bytes.length, 40); size++) {
        const all = await readAll(format, bytes, size);
        expect(all, `chunks of ${size} bytes`).toEqual({ records, starts });
      }
    }
  });

  it("fault 71: gives the same records for splits of every size", async () => {
    for (const { content, records } of samples) {
      const bytes = bytesOf(content);
      const { starts } = await readAll(format, bytes);
      for (let size = 1; size <= bytes.length; size++) {
        const all = await readSplits(format, bytes, wantedEvery(size, bytes.length), 1 + (size % 7));
        expect(all, `splits of ${size} bytes`).toEqual({ records, starts });
      }
    }
  });

  it("goes on reading at the start of any record", async () => {
    for (const { content, records } of samples) {
      const bytes = bytesOf(content);
      const { starts } = await readAll(format, bytes);
      for (const [i, start] of starts.entries()) {
        const rest = await readRange(format, bytes, start, Number.POSITIVE_INFINITY, 3);
        expect(rest.records).toEqual(records.slice(i));
      }
    }
  });

  if (written === undefined) return;
  const { records, readAs = (record: Out): unknown => record } = written;
  it("reads back what it writes, in any splits", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(records, { maxLength: 12 }), fc.integer({ min: 1, max: 30 }), async (wanted, size) => {
        const bytes = writeAll(format as Format<In, Out>, wanted);
        const expected = wanted.map(readAs);
        expect((await readAll(format, bytes, size)).records).toEqual(expected);
        expect((await readSplits(format, bytes, wantedEvery(size, bytes.length), size)).records).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });
}

export interface ReadRecords {
  readonly records: readonly unknown[];
  readonly starts: readonly number[];
}

export function writeAll<Out>(format: Format<unknown, Out>, records: readonly Out[]): Uint8Array {
  const out = new ByteBuffer();
  format.header?.(out);
  for (const record of records) format.write(record, out);
  return out.copy();
}

export function readAll(format: InputFormat<unknown>, bytes: Uint8Array, chunkSize = 1 << 20): Promise<ReadRecords> {
  return readRange(format, bytes, 0, Number.POSITIVE_INFINITY, chunkSize);
}

/** As a map task reads one piece of a file. Checks what every batch promises. */
export async function readRange(
  format: InputFormat<unknown>,
  bytes: Uint8Array,
  start: number,
  end: number,
  chunkSize: number,
): Promise<ReadRecords> {
  const records: unknown[] = [];
  const starts: number[] = [];
  const from: ReadFrom = { start, end, head: bytes.subarray(0, 64 * 1024) };
  let last = start;
  for await (const batch of format.read(chunksOf(bytes.subarray(start), chunkSize), from)) {
    expect(batch.starts.length).toBeGreaterThanOrEqual(batch.records.length);
    for (const [i, record] of batch.records.entries()) {
      expect(batch.starts[i]).toBeGreaterThanOrEqual(last);
      expect(batch.starts[i]).toBeLessThan(end);
      last = batch.starts[i]!;
      starts.push(last);
      records.push(record);
    }
    expect(batch.end).toBeGreaterThanOrEqual(last);
    expect(batch.end).toBeLessThanOrEqual(bytes.length);
    last = batch.end;
  }
  return { records, starts };
}

/**
 * As planning cuts a file: each wanted offset is moved to a record start, and becomes the end of the split before it.
 */
export async function readSplits(
  format: InputFormat<unknown>,
  bytes: Uint8Array,
  wanted: readonly number[],
  chunkSize: number,
): Promise<ReadRecords> {
  const cuts = [0, ...(await findStarts(format, bytes, wanted)), bytes.length];
  const records: unknown[] = [];
  const starts: number[] = [];
  for (let i = 1; i < cuts.length; i++) {
    const split = await readRange(format, bytes, cuts[i - 1]!, cuts[i]!, chunkSize);
    records.push(...split.records);
    starts.push(...split.starts);
  }
  return { records, starts };
}

export function wantedEvery(size: number, length: number): number[] {
  return Array.from({ length: Math.max(0, Math.ceil(length / size) - 1) }, (_, i) => (i + 1) * size);
}

export async function findStarts(
  format: InputFormat<unknown> & Partial<ScannedFormat>,
  bytes: Uint8Array,
  wanted: readonly number[],
): Promise<readonly number[]> {
  if (format.split === "whole-file") return [];
  if (format.findStarts !== undefined) return format.findStarts(chunksOf(bytes, 5), wanted, bytes.length);
  let last = 0;
  return wanted.map((offset) => {
    if (offset <= last) return last;
    last = startAt(format, bytes, offset);
    return last;
  });
}

/** With ever more bytes, as planning does it: a result must not change when there are more. */
function startAt(format: InputFormat<unknown>, bytes: Uint8Array, wanted: number): number {
  const seen = bytes.subarray(wanted - 1);
  const index = format.recordStart!(seen);
  for (let length = 1; length <= Math.min(seen.length, 20); length++) {
    const early = format.recordStart!(seen.subarray(0, length));
    expect(early === -1 || early === index).toBe(true);
  }
  return index < 0 ? bytes.length : wanted - 1 + index;
}

/** Each chunk is destroyed when the next is asked for: no record may keep a chunk's memory. */
export async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    yield chunk;
    chunk.fill(0x2a);
  }
}

function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === "string" ? new Uint8Array(Buffer.from(content)) : content;
}

/** Strings that are said to be at hand are. */
export function expectTexts(record: unknown, texts: RecordTexts, index: number): void {
  if (typeof record !== "object" || record === null) return;
  const { view } = texts;
  for (const string of Object.values(record) as unknown[]) {
    const start = typeof string === "string" ? texts.startOf(string, index) : -1;
    if (start < 0) continue;
    const { length } = string as string;
    expect(Buffer.from(view.buffer, view.byteOffset + start, length).toString("latin1")).toBe(string);
    expect(start + length + 3).toBeLessThanOrEqual(view.byteLength);
  }
}
