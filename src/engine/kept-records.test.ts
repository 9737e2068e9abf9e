import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteBuffer } from "../base/bytes/byte-buffer.ts";
import { autoRecords } from "../task/output/auto-records.ts";
import { decodeRecords } from "./kept-records.ts";

async function* cut(bytes: Uint8Array, every: number) {
  for (let at = 0; at < bytes.length; at += every) yield bytes.subarray(at, at + every);
}

async function collect(records: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const record of records) all.push(record);
  return all;
}

test("records come back as they were emitted, wherever chunks end", async () => {
  const record = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.integer(),
    fc.tuple(fc.string(), fc.integer()),
    fc.constant(null),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(record), fc.integer({ min: 1, max: 40 }), async (records, every) => {
      const out = new ByteBuffer();
      for (const one of records) autoRecords.write(one, out);
      expect(await collect(decodeRecords(cut(out.copy(), every), "part"))).toEqual(records);
    }),
  );
});

test("a part that is cut short is an error, not the end", async () => {
  const out = new ByteBuffer();
  autoRecords.write("hello", out);
  await expect(collect(decodeRecords(cut(out.copy().subarray(0, -1), 7), "part-0"))).rejects.toThrow(
    /part-0 is not as/,
  );
});
