// What came of a segment is added up and compared with its footer, which finds whole blocks that are missing or belong
// elsewhere.
import { expect, test } from "vitest";
import { mapAttempt, openRef, writeRun } from "../../test/support/pairs.ts";
import { createMemoryFiles } from "../sort/memory-files.ts";
import { SegmentStream } from "./segment-stream.ts";
import { writeSegmentHeader } from "./wire.ts";

const pairs = Array.from({ length: 6 }, (_, i) => ({ partition: 0, key: `key-${i}`, value: "v" }));

test.each([
  ["pairs", { pairs: 5 }],
  ["digest", { digest: 1n }],
])("fault 53: a transfer whose blocks are whole and do not add up to its footer's %s is corrupt", (_, change) => {
  const files = createMemoryFiles();
  const run = writeRun(files, "map-0", mapAttempt(0), pairs, 40);
  const reader = openRef(files, run);
  const segment = reader.segment(0)!;
  reader.close();
  const bytes = files.bytesOf(run.path).subarray(segment.offset, segment.offset + segment.bytes);
  const push = (header: Partial<typeof segment>) => {
    const stream = new SegmentStream([run], 0, { position: 0, append() {} });
    const said = { status: "segment", ...segment, ...header, runPairs: run.pairs } as const;
    stream.push(Buffer.concat([writeSegmentHeader(run.writtenBy, 0, said), bytes]));
    return stream.isComplete;
  };
  expect(push({})).toBe(true);
  expect(() => push(change)).toThrow("don't add up");
});
