import fc from "fast-check";
import { expect, it } from "vitest";
import { mapAttempt } from "../../test/support/pairs.ts";
import { limits } from "../base/limits.ts";
import { parseRequest, parseSegmentHeader, requestBytesMax, writeRequest, writeSegmentHeader } from "./wire.ts";

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u53 = fc.maxSafeNat();
const map = fc.record({
  job: fc.constant("job-1"),
  phase: fc.constant("map" as const),
  index: u32,
  epoch: u53,
  attempt: u53,
});

it("a request is read as it was written, and nothing shorter, longer or other is one", () => {
  const request = fc.record({ partition: u32, from: u53, maps: fc.array(map, { minLength: 1, maxLength: 20 }) });
  fc.assert(
    fc.property(request, fc.nat(), (request, cut) => {
      const bytes = writeRequest(request);
      expect(parseRequest("job-1", bytes)).toEqual(request);
      expect(parseRequest("job-1", bytes.subarray(0, cut % bytes.length))).toBeUndefined();
      expect(parseRequest("job-1", Buffer.concat([bytes, Buffer.alloc(20)]))).toBeUndefined();
      bytes[cut % 8]! ^= 1;
      expect(parseRequest("job-1", bytes)).toBeUndefined();
    }),
  );
});

it("a request for no map, for too many, or from beyond all numbers is none", () => {
  const one = { partition: 0, from: 0, maps: [mapAttempt(1)] };
  expect(parseRequest("job-1", writeRequest({ ...one, maps: [] }))).toBeUndefined();
  const many = Array.from({ length: limits.fetchMapsMax + 1 }, (_, index) => mapAttempt(index));
  expect(parseRequest("job-1", writeRequest({ ...one, maps: many }))).toBeUndefined();
  expect(writeRequest({ ...one, maps: many.slice(1) })).toHaveLength(requestBytesMax);
  const bytes = writeRequest(one);
  bytes.fill(255, 16, 24);
  expect(parseRequest("job-1", bytes)).toBeUndefined();
});

it("a segment's header is read as it was written; with any bit flipped, or of another job, map, attempt or partition, it is refused", () => {
  const header = {
    status: "segment",
    bytes: 2 ** 40,
    pairs: 7,
    digest: 2n ** 63n,
    blockBytesMax: 99,
    runPairs: 8,
  } as const;
  const map = mapAttempt(3);
  const bytes = writeSegmentHeader(map, 5, header);
  expect(parseSegmentHeader(bytes, map, 5)).toEqual(header);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(parseSegmentHeader(flipped, map, 5)).toBeTypeOf("string");
  }
  expect(parseSegmentHeader(bytes, map, 6)).toBeTypeOf("string");
  for (const other of [mapAttempt(4), mapAttempt(3, 2), { ...map, job: "job-2" }, { ...map, epoch: 2 }]) {
    expect(parseSegmentHeader(bytes, other, 5)).toBeTypeOf("string");
  }
});
