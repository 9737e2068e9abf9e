import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mapAttempt, openRef, type TestPair, writeRun } from "../../test/support/pairs.ts";
import { createMemoryFiles, type MemoryFiles } from "../sort/memory-files.ts";
import type { RunRef } from "../sort/run.ts";
import { SegmentStream } from "./segment-stream.ts";
import { TransferFault } from "./transfer-fault.ts";
import { noSegment, writeSegmentHeader } from "./wire.ts";

const partition = 1;

/** Runs of which every third has nothing in the partition. */
function someRuns(files: MemoryFiles, count: number): RunRef[] {
  return Array.from({ length: count }, (_, map) => {
    const pairs = Array.from(
      { length: 6 },
      (_, i): TestPair => ({ partition: map % 3 === 1 ? 0 : i % 3, key: `key-${i}`, value: "v".repeat(map * 7) }),
    );
    pairs.sort((a, b) => a.partition - b.partition);
    return writeRun(files, `map-${map}`, mapAttempt(map), pairs, 40);
  });
}

/** What a server answers. */
function answerOf(files: MemoryFiles, runs: readonly RunRef[], from = 0): Buffer {
  return Buffer.concat(
    runs.flatMap((run, index) => {
      const reader = openRef(files, run);
      const segment = reader.segment(partition);
      reader.close();
      if (segment === undefined) {
        const header = { status: "none", ...noSegment, runPairs: run.pairs } as const;
        return [writeSegmentHeader(run.writtenBy, partition, header)];
      }
      const header = { status: "segment", ...segment, runPairs: run.pairs } as const;
      const start = segment.offset + (index === 0 ? from : 0);
      const bytes = files.bytesOf(run.path).subarray(start, segment.offset + segment.bytes);
      return [writeSegmentHeader(run.writtenBy, partition, header), bytes];
    }),
  );
}

class Sink {
  readonly #pieces: Buffer[] = [];
  position = 0;

  append(bytes: Uint8Array, start: number, end: number): void {
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)));
    this.position += end - start;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

function streamOf(runs: readonly RunRef[]) {
  const sink = new Sink();
  return { sink, stream: new SegmentStream(runs, partition, sink) };
}

/** Pushes the answer in pieces of the given sizes, which repeat. */
function pushAll(stream: SegmentStream, answer: Buffer, sizes: readonly number[]): void {
  for (let at = 0, i = 0; at < answer.length; i++) {
    const size = sizes[i % sizes.length]!;
    stream.push(answer.subarray(at, at + size));
    at += size;
  }
}

/** All segments came, with the bytes that they have in the runs. */
function expectWhole(files: MemoryFiles, runs: readonly RunRef[], stream: SegmentStream, sink: Sink): void {
  expect(stream.isComplete).toBe(true);
  expect(expectRight(files, runs, stream, sink)).toBe(stream.received.length);
}

/**
 * The segments that came are the first ones, with the bytes that they have in the runs. Returns how many there are in
 * total.
 */
function expectRight(files: MemoryFiles, runs: readonly RunRef[], stream: SegmentStream, sink: Sink): number {
  const expected = runs.flatMap((run) => {
    const reader = openRef(files, run);
    const segment = reader.segment(partition);
    reader.close();
    return segment === undefined ? [] : [{ run, segment }];
  });
  const { bytes } = sink;
  for (const [index, { map, segment: got }] of stream.received.entries()) {
    const { run, segment } = expected[index]!;
    expect(map).toEqual(run.writtenBy);
    expect(got).toEqual({ ...segment, offset: got.offset });
    const stored = files.bytesOf(run.path).subarray(segment.offset, segment.offset + segment.bytes);
    expect(bytes.subarray(got.offset, got.offset + got.bytes).equals(stored)).toBe(true);
  }
  return expected.length;
}

const pieces = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 });

describe("SegmentStream", () => {
  const files = createMemoryFiles();
  const runs = someRuns(files, 7);
  const answer = answerOf(files, runs);

  it("takes segments in pieces of any size", () => {
    fc.assert(
      fc.property(pieces, (sizes) => {
        const { sink, stream } = streamOf(runs);
        pushAll(stream, answer, sizes);
        expectWhole(files, runs, stream, sink);
      }),
      { numRuns: 50 },
    );
  });

  it("fault 53: goes on at the byte where an answer broke off, wherever that was", () => {
    for (let cut = 0; cut < answer.length; cut++) {
      const { sink, stream } = streamOf(runs);
      stream.begin();
      stream.push(answer.subarray(0, cut));
      const { from, maps } = stream.begin();
      stream.push(answerOf(files, maps, from));
      expectWhole(files, runs, stream, sink);
      expect(sink.bytes.length).toBe(stream.received.reduce((sum, { segment }) => sum + segment.bytes, 0));
    }
  });

  it("goes on however often answers break off", () => {
    fc.assert(
      fc.property(pieces, (cuts) => {
        const { sink, stream } = streamOf(runs);
        for (let i = 0; !stream.isComplete; i++) {
          const { from, maps } = stream.begin();
          // Each answer is a byte longer: what ends within the first header again and again makes no progress.
          stream.push(answerOf(files, maps, from).subarray(0, cuts[i % cuts.length]! + i));
        }
        expectWhole(files, runs, stream, sink);
      }),
      { numRuns: 50 },
    );
  });

  it("faults 53, 59: a flipped bit is noticed at whichever byte, before its segment counts; sent again it is taken", () => {
    for (let at = 0; at < answer.length; at++) {
      const { sink, stream } = streamOf(runs);
      const flipped = Buffer.from(answer);
      flipped[at]! ^= 1 << (at % 8);
      stream.begin();
      let thrown: unknown;
      try {
        stream.push(flipped);
        expect(stream.isComplete, `byte ${at}`).toBe(false); // it waits for more than there is
      } catch (error) {
        thrown = error;
      }
      if (thrown !== undefined) expect(thrown).toBeInstanceOf(TransferFault);
      const { from, maps } = stream.begin();
      try {
        stream.push(answerOf(files, maps, from));
      } catch (error) {
        // The wrong byte had been taken for a good beginning; now it is known to be wrong, and the segment comes again.
        expect(error).toMatchObject({ name: "TransferFault", kind: "corrupt" });
        const again = stream.begin();
        expect(again.from).toBe(0);
        stream.push(answerOf(files, again.maps));
      }
      expectWhole(files, runs, stream, sink);
    }
  });

  it("fault 53: whatever parts of an answer are cut out, doubled, swapped or overwritten, nothing wrong is taken", () => {
    const change = fc.record({
      kind: fc.constantFrom("remove", "double", "swap", "noise", "zero"),
      at: fc.nat(answer.length - 1),
      to: fc.nat(answer.length - 1),
      bytes: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), pieces, (changes, sizes) => {
        let bytes: Buffer = Buffer.from(answer);
        for (const { kind, at, to, bytes: length } of changes) {
          const [before, part, after] = [
            bytes.subarray(0, at),
            bytes.subarray(at, at + length),
            bytes.subarray(at + length),
          ];
          if (kind === "remove") bytes = Buffer.concat([before, after]);
          else if (kind === "double") bytes = Buffer.concat([before, part, part, after]);
          else if (kind === "swap") bytes = Buffer.concat([before, answer.subarray(to, to + part.length), after]);
          else bytes = Buffer.concat([before, Buffer.alloc(part.length, kind === "zero" ? 0 : to), after]);
        }
        const { sink, stream } = streamOf(runs);
        try {
          pushAll(stream, bytes, sizes);
        } catch (error) {
          expect(error).toBeInstanceOf(TransferFault);
        }
        expectRight(files, runs, stream, sink);
        if (stream.isComplete) expectWhole(files, runs, stream, sink);
      }),
      { numRuns: 400 },
    );
  });

  it("fault 53: more than was asked for, another map's segment, or another's blocks are no answer", () => {
    const { stream } = streamOf(runs);
    expect(() => stream.push(Buffer.concat([answer, Buffer.from("x")]))).toThrow("more came");
    const other = streamOf(runs.slice(2));
    expect(() => other.stream.push(answer)).toThrow("another map");
    // The header is right, but the blocks are those of another attempt of the same map.
    const rerun = writeRun(files, "rerun", mapAttempt(0, 2), [{ partition, key: "key-1", value: "" }], 40);
    const header = answer.subarray(0, 80);
    const blocks = answerOf(files, [rerun]).subarray(80);
    const third = streamOf(runs);
    expect(() => third.stream.push(Buffer.concat([header, blocks]))).toThrow("of another attempt");
  });

  it("a run with another count than was reported, or larger than it, is refused as corrupt", () => {
    const wrongPairs = streamOf([{ ...runs[0]!, pairs: 99 }]);
    expect(() => wrongPairs.stream.push(answer)).toThrow("99 were reported");
    const wrongBytes = streamOf([{ ...runs[0]!, bytes: 30 }]);
    expect(() => wrongBytes.stream.push(answer)).toThrow("can't be in it");
  });

  it("says what the server says of a map that it can't give", () => {
    for (const status of ["missing", "corrupt"] as const) {
      const { stream } = streamOf(runs);
      const header = writeSegmentHeader(runs[0]!.writtenBy, partition, { status, ...noSegment });
      expect(() => stream.push(header)).toThrow(expect.objectContaining({ name: "TransferFault", kind: status }));
      expect(stream.map).toBe(runs[0]);
    }
  });

  it("a segment that changed while its transfer paused is corrupt", () => {
    const { stream } = streamOf(runs.slice(0, 1));
    stream.begin();
    stream.push(answer.subarray(0, 100));
    const { from } = stream.begin();
    expect(from).toBe(20);
    const empty = writeSegmentHeader(runs[0]!.writtenBy, partition, {
      status: "none",
      ...noSegment,
      runPairs: runs[0]!.pairs,
    });
    expect(() => stream.push(empty)).toThrow("is no more");
  });
});
