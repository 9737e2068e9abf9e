// The record of a task alone: a master writes one for each decision, and one that takes over reads all of them. Run:
// node bench/micro/run.mjs records [case]
import type { TaskRecord } from "../../src/protocol/records.ts";
import { noStats } from "../../src/protocol/stats.ts";
import { StringTable } from "../../src/wire/protobuf/string-table.ts";
import { decodeTaskRecord } from "../../src/wire/stored/task-reader.ts";
import { encodeTaskRecord } from "../../src/wire/stored/task-writer.ts";
import { createMeasured } from "./measured.ts";

const count = 10_000;
const records = Array.from({ length: count }, (_, index) => won(index));
const encoded = records.map((record) => encodeTaskRecord(record));
const handled = { records: count, bytes: encoded.reduce((sum, { length }) => sum + length, 0) };

const measured = createMeasured();
measured.add("task record: write", handled, () => {
  for (const record of records) encodeTaskRecord(record);
});
measured.add("task record: read", handled, () => {
  const names = new StringTable(1024);
  for (const bytes of encoded) decodeTaskRecord(bytes, names);
});
await measured.print();

/** A map that was done at the first try. */
function won(index: number): TaskRecord {
  const attempt = {
    job: "word-count-20240102-030405-abcdef",
    phase: "map" as const,
    index,
    epoch: 3,
    attempt: index + 7,
  };
  return {
    winner: {
      attempt,
      worker: `worker-${index % 50}`,
      incarnation: 1_700_000_000_000,
      address: `http://10.0.0.${index % 50}:7071`,
      run: { writtenBy: attempt, path: `runs/map-${index}.run`, bytes: 4_000_000 + index, pairs: 300_000 + index },
      emissionDigest: 0x1234_5678_9abc_def0n + BigInt(index),
      mapVersion: undefined,
      staged: [],
      deadLetters: [],
      lastAside: undefined,
      largestGroups: undefined,
      counters: { words: 500_000 + index },
      stats: {
        ...noStats,
        recordsIn: 100_000 + index,
        bytesIn: 16_777_216,
        pairs: 500_000 + index,
        memoryRunBytes: 4_000_000 + index,
        wallMs: 812.5,
      },
      runLost: undefined,
    },
    placements: 1,
    digestVersion: 1,
    digestRollbacks: 0,
    failures: 0,
    infrastructureFailures: 0,
    careful: false,
    skip: [],
    diedAt: undefined,
    userFailure: undefined,
    counted: undefined,
  };
}
