// Reduce's side of the sort: runs merged by the kernel, pairs stepped through by a cursor and grouped by key. The
// kernel's own merge is in `kernel merge`; what is above it here is cursor and groups. Run: node bench/micro/run.mjs
// group [case]
import { ByteBuffer } from "../../src/base/bytes/byte-buffer.ts";
import { MiB } from "../../src/base/limits.ts";
import { createKernel } from "../../src/kernel/create-kernel.ts";
import { createCollector } from "../../src/sort/collector.ts";
import { Groups } from "../../src/sort/group.ts";
import { createMemoryFiles } from "../../src/sort/memory-files.ts";
import { mergeRuns } from "../../src/sort/merge.ts";
import type { RunReader } from "../../src/sort/run.ts";
import { openRun } from "../../src/sort/run-reader.ts";
import { createMeasured } from "./measured.ts";
import { attempt } from "./pairs.ts";

const count = 400_000;
const runs = 8;
const kernel = createKernel({ arenaBytes: 64 * MiB });
const files = createMemoryFiles();
const measured = createMeasured();
const plain = {
  partitions: 1,
  partitioner: { kind: "hash" },
  group: undefined,
  fold: undefined,
  combining: "never",
  firstEmission: 0,
} as const;

for (const perGroup of [1, 10, 10_000]) {
  const key = (i: number) => `key-${String((i * 7919) % (count / perGroup)).padStart(9, "0")}`;
  const refs = Array.from({ length: runs }, (_, run) => {
    const own = { ...attempt, index: run, attempt: perGroup };
    const collector = createCollector({ kernel, files, attempt: own, options: plain });
    const out = new ByteBuffer();
    let at = collector.batchStart;
    for (let i = run; i < count; i += runs) {
      out.reset();
      const encoded = Buffer.from(key(i));
      out.writeVarint(encoded.length);
      out.writeVarint(8);
      out.writeBytes(encoded);
      out.writeBytes(new Uint8Array(8));
      if (at + out.length > collector.batchEnd) {
        collector.take(at);
        at = collector.batchStart;
      }
      collector.arena.set(out.view(), at);
      at += out.length;
    }
    collector.take(at);
    return collector.finish();
  });
  const bytes = refs.reduce((sum, ref) => sum + ref.bytes, 0);
  const open = (): RunReader[] => refs.map((ref) => openRun(files.open(ref.path), ref.writtenBy, ref.path));
  const cursorOf = (readers: RunReader[]) =>
    mergeRuns(readers, 0, { kernel, fold: undefined, files, attempt: { ...attempt, phase: "reduce" } });
  const title = perGroup === 1 ? "1 value a key" : `${perGroup} values a key`;
  measured.add(`cursor alone, ${title}`, { records: count, bytes }, () => {
    const readers = open();
    const cursor = cursorOf(readers);
    while (cursor.advance());
    for (const reader of readers) reader.close();
  });
  measured.add(`groups, ${title}`, { records: count, bytes }, () => {
    const readers = open();
    const groups = new Groups(cursorOf(readers), undefined);
    let pairs = 0;
    while (groups.nextGroup()) while (groups.nextValue()) pairs++;
    if (pairs !== count) throw new Error(`${pairs} pairs`);
    for (const reader of readers) reader.close();
  });
}
await measured.print();
