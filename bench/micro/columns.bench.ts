// Nanoseconds of processor time per value of folding columns of numbers: in the kernel, and by a call of JavaScript for
// each value, as all aggregates are that are more than columns. Fastest of some rounds; batches are encoded beforehand.
// Run: node bench/micro/run.mjs columns [case]
import { ByteBuffer } from "../../src/base/bytes/byte-buffer.ts";
import { MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import { max, mean, stats, sum, variance } from "../../src/index.ts";
import { type Aggregate, aggregateDefinition, type StateAggregate } from "../../src/job/aggregate/aggregate.ts";
import { asState } from "../../src/job/aggregate/combined.ts";
import { kernelColumns } from "../../src/job/aggregate/lower.ts";
import { createKernel } from "../../src/kernel/create-kernel.ts";
import type { BlockSource, CollectOptions, KernelFold } from "../../src/kernel/kernel.ts";
import { pairBytes, writePair } from "../../src/kernel/pair.ts";

const filter = process.argv[3] ?? "";
const pairCount = 1_000_000;
const rounds = 7;
const kernel = createKernel({ arenaBytes: 64 * MiB });
const batchBytes = 64 * 1024;

/** Processor milliseconds of this process. */
const now = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** As src/task/emit/fold.ts folds what the kernel does not. */
function foldOf(aggregate: StateAggregate, inKernel: boolean): KernelFold {
  const underWay = new Uint8Array(0);
  const buffer = new ByteBuffer();
  let accumulator = aggregate.begin();
  return {
    on: "bytes",
    columns: inKernel ? kernelColumns(aggregate) : undefined,
    by(a, b) {
      if (a !== underWay) {
        accumulator = aggregate.begin();
        accumulator.add(a, 0, a.length);
      }
      accumulator.add(b, 0, b.length);
      return underWay;
    },
    settle() {
      buffer.reset();
      accumulator.write(buffer);
      return buffer.copy();
    },
  };
}

function batchesOf(aggregate: StateAggregate, keys: number, number: (random: () => number) => number): Uint8Array[] {
  const random = seededRandom(keys, 1);
  const batches: Uint8Array[] = [];
  const value = new ByteBuffer();
  const names = Array.from({ length: keys }, (_, i) => new TextEncoder().encode(`host ${i * 7919}`));
  let batch = new Uint8Array(batchBytes);
  let at = 0;
  for (let i = 0; i < pairCount; i++) {
    value.reset();
    aggregate.lift({ bytes: Math.floor(random() * 10_000), ms: number(random) }, value);
    const key = names[Math.floor(random() * keys)]!;
    if (at + pairBytes(key.length, value.length) > batch.length) {
      batches.push(batch.subarray(0, at));
      batch = new Uint8Array(batchBytes);
      at = 0;
    }
    at = writePair(batch, at, key, value.copy());
  }
  batches.push(batch.subarray(0, at));
  return batches;
}

function collect(batches: readonly Uint8Array[], fold: KernelFold | undefined, combining: CollectOptions["combining"]) {
  const target = kernel.collect({
    partitions: 1,
    partitioner: { kind: "hash" },
    group: undefined,
    fold,
    combining,
    firstEmission: 0,
  });
  const blocks: Uint8Array[] = [];
  const flush = () => target.flush({ block: (_, bytes, start, end) => blocks.push(bytes.slice(start, end)) });
  for (const batch of batches) {
    kernel.arena.set(batch, target.batchStart);
    while (target.addBatch(target.batchStart + batch.length) === "full") flush();
  }
  flush();
  return blocks;
}

function merge(runs: readonly (readonly Uint8Array[])[], fold: KernelFold | undefined) {
  const sources = runs.map((blocks): BlockSource => {
    let next = 0;
    return {
      blockBytesMax: kernel.blockBytes,
      read(target, at) {
        const block = blocks[next++];
        if (block === undefined) return 0;
        target.set(block, at);
        return block.length;
      },
      end() {},
    };
  });
  const stream = kernel.merge(sources, fold);
  while (stream.next() !== undefined);
}

function fastest(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const started = now();
    run();
    best = Math.min(best, now() - started);
  }
  return (best * 1e6) / pairCount;
}

const integer = (random: () => number) => Math.floor(random() * 1000);
const fraction = (random: () => number) => Math.round(random() * 1e6) / 1000;
const aggregates: readonly [string, Aggregate<never, unknown>, (random: () => number) => number][] = [
  ["sum of integers", sum("ms"), integer],
  ["sum of fractions", sum("ms"), fraction],
  ["mean, max, sum", stats({ avg: mean("ms"), slowest: max("ms"), total: sum("bytes") }), fraction],
  ["variance", variance("ms"), fraction],
];
for (const [what, given, number] of aggregates) {
  const aggregate = asState(aggregateDefinition(given)!);
  for (const keys of [100, 100_000]) {
    const name = `${what}, ${keys} keys`;
    if (!name.includes(filter)) continue;
    const batches = batchesOf(aggregate, keys, number);
    const line = (how: string, nanoseconds: number) =>
      console.log(`${`${name}, ${how}`.padEnd(60)} ${nanoseconds.toFixed(1).padStart(7)} ns/value`);
    const folds = [true, false].map((inKernel) => foldOf(aggregate, inKernel));
    line(
      "table",
      fastest(() => void collect(batches, folds[0], "always")),
    );
    line(
      "sort, kernel",
      fastest(() => void collect(batches, folds[0], "never")),
    );
    line(
      "sort, called",
      fastest(() => void collect(batches, folds[1], "never")),
    );
    line(
      "sort, nothing folded",
      fastest(() => void collect(batches, undefined, "never")),
    );
    // Eight sorted runs in which each key has all of its values.
    const share = Math.ceil(batches.length / 8);
    const runs = Array.from({ length: 8 }, (_, i) =>
      collect(batches.slice(i * share, (i + 1) * share), undefined, "never"),
    );
    line(
      "merge, kernel",
      fastest(() => merge(runs, folds[0])),
    );
    line(
      "merge, called",
      fastest(() => merge(runs, folds[1])),
    );
    line(
      "merge, nothing folded",
      fastest(() => merge(runs, undefined)),
    );
  }
}
