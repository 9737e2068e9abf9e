// What a spill costs beside the sort: blocks written as a run (headers, checksums, footer) into the memory tier, and a
// whole run read and verified. `crc32` alone is the least that the checksums cost. Run: node bench/micro/run.mjs spill
// [case]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { KiB, MiB } from "../../src/base/limits.ts";
import type { RunFiles, RunRef } from "../../src/sort/run.ts";
import { openRun } from "../../src/sort/run-reader.ts";
import { createRunWriter } from "../../src/sort/run-writer.ts";
import { createTier } from "../../src/tier/tier.ts";
import { createMeasured } from "./measured.ts";
import { attempt } from "./pairs.ts";

const partitions = 8;
const runBytes = 32 * MiB;
const pairBytes = 100;
const measured = createMeasured();
const memory = mkdtempSync(join("/dev/shm", "millrace-bench-"));
const disk = mkdtempSync(join(tmpdir(), "millrace-bench-"));
let names = 0;

try {
  for (const blockBytes of [8 * KiB, 64 * KiB]) {
    const block = Buffer.alloc(blockBytes, "a line of some bytes, as pairs are ");
    const pairs = Math.floor(blockBytes / pairBytes);
    const blocks = runBytes / blockBytes;
    const handled = { records: blocks * pairs, bytes: runBytes };
    const size = `blocks of ${blockBytes / KiB} KiB`;
    const write = (files: RunFiles): RunRef => {
      const writer = createRunWriter(files, `run-${names++}`, attempt);
      for (let i = 0; i < blocks; i++)
        writer.block(Math.floor((i * partitions) / blocks), block, 0, blockBytes, pairs, 0, BigInt(i));
      return writer.finish(0n);
    };
    const tiers = {
      memory: createTier({ memoryDirectory: memory, memoryBytesMax: 1024 * MiB, diskDirectory: disk }),
      disk: createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: disk }),
    };
    for (const [tier, files] of Object.entries(tiers)) {
      measured.add(`write a run, ${size}, ${tier}`, handled, () => files.remove(write(files).path));
      const run = write(files);
      const target = new Uint8Array(64 * KiB);
      measured.add(`read a run, ${size}, ${tier}`, handled, () => {
        const reader = openRun(files.open(run.path), attempt, run.path);
        for (const { partition } of reader.segments) {
          const source = reader.source(partition)!;
          while (source.read(target, 0) > 0);
        }
        reader.close();
      });
    }
    measured.add(`crc32 alone, ${size}`, handled, () => {
      for (let i = 0; i < blocks; i++) crc32(block);
    });
  }
  await measured.print();
} finally {
  rmSync(memory, { recursive: true });
  rmSync(disk, { recursive: true });
}
