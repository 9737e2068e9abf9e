// Nanoseconds of processor time per pair of the kernel's phases, in the fastest of some rounds (others may share the
// machine). Batches are encoded beforehand and copied into the arena, which costs about a nanosecond a pair. Run: node
// bench/micro/run.mjs kernel [case]
import { Bench } from "tinybench";
import { writeF64 } from "../../src/base/bytes/f64.ts";
import { MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import { createKernel, type KernelKind } from "../../src/kernel/create-kernel.ts";
import type { BlockSource, CollectOptions, Kernel, KernelFold } from "../../src/kernel/kernel.ts";
import { pairBytes, writePair } from "../../src/kernel/pair.ts";

const filter = process.argv[3] ?? "";
const kind: KernelKind = process.argv.includes("--reference") ? "reference" : "wasm";
const rounds = kind === "wasm" ? 9 : 3;
const random = seededRandom(1, 1);
const below = (n: number) => Math.floor(random() * n);
const one = new Uint8Array(8);
writeF64(one, 0, 1);

const plain: CollectOptions = {
  partitions: 8,
  partitioner: { kind: "hash" },
  group: undefined,
  fold: undefined,
  combining: "auto",
  firstEmission: 0,
};
const sum: KernelFold = { on: "f64", by: "sum", integers: true };
const user: KernelFold = { on: "f64", by: (a, b) => a + b, integers: true };

/** Processor milliseconds of this process. */
const now = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

interface Pairs {
  readonly batches: readonly Uint8Array[];
  readonly count: number;
}

/** Pairs as the batches that a map task would write. */
function encode(count: number, key: (i: number) => Uint8Array, value: (i: number) => Uint8Array): Pairs {
  const batches: Uint8Array[] = [];
  let batch = new Uint8Array(64 * 1024);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const k = key(i);
    const v = value(i);
    if (at + pairBytes(k.length, v.length) > batch.length) {
      batches.push(batch.subarray(0, at));
      batch = new Uint8Array(64 * 1024);
      at = 0;
    }
    at = writePair(batch, at, k, v);
  }
  batches.push(batch.subarray(0, at));
  return { batches, count };
}

/** Collects all pairs. Returns how often the arena was full, and how many milliseconds the flushes took. */
function collect(kernel: Kernel, options: CollectOptions, { batches }: Pairs): { flushes: number; flushMs: number } {
  const target = kernel.collect(options);
  let flushes = 0;
  let flushMs = 0;
  let bytes = 0;
  const flush = () => {
    const started = now();
    target.flush({ block: (_, __, start, end) => (bytes += end - start) });
    flushMs += now() - started;
    flushes++;
  };
  for (const batch of batches) {
    kernel.arena.set(batch, target.batchStart);
    while (target.addBatch(target.batchStart + batch.length) === "full") flush();
  }
  flush();
  return { flushes, flushMs };
}

const letters = (n: number) => Uint8Array.from({ length: n }, () => 97 + below(26));
const text = (value: string) => new TextEncoder().encode(value);

/** Words with lengths like English, each with 1. */
function words(count: number, distinct: number, zipf: boolean): Pairs {
  const vocabulary = Array.from({ length: distinct }, () => letters(2 + below(5) + below(5)));
  const pick = zipf ? () => Math.floor(distinct ** random()) - 1 : () => below(distinct);
  return encode(
    count,
    () => vocabulary[Math.max(0, pick())]!,
    () => one,
  );
}

const bench = new Bench({ now, iterations: rounds, time: 0, warmupIterations: 2, warmupTime: 0 });
const notes = new Map<string, () => string>();
const counts = new Map<string, number>();

function measure(name: string, count: number, run: () => void, note: () => string = () => ""): void {
  bench.add(name, run);
  counts.set(name, count);
  notes.set(name, note);
}

function measureCollect(name: string, arenaBytes: number, options: CollectOptions, make: () => Pairs): void {
  if (!name.includes(filter)) return;
  const kernel = createKernel({ arenaBytes }, kind);
  const pairs = make();
  let best = Number.POSITIVE_INFINITY;
  let flushes = 0;
  const run = () => {
    const took = collect(kernel, options, pairs);
    best = Math.min(best, took.flushMs);
    flushes = took.flushes;
  };
  measure(name, pairs.count, run, () => `${flushes} flushes, ${((best * 1e6) / pairs.count).toFixed(1)} ns of it`);
}

function measureMerge(
  name: string,
  width: number,
  fold: KernelFold | undefined,
  make: (source: number) => Pairs,
): void {
  if (!name.includes(filter)) return;
  const kernel = createKernel({ arenaBytes: 64 * MiB }, kind);
  let count = 0;
  const runs = Array.from({ length: width }, (_, source) => {
    const pairs = make(source);
    const blocks: Uint8Array[] = [];
    const target = kernel.collect({ ...plain, partitions: 1 });
    for (const batch of pairs.batches) {
      kernel.arena.set(batch, target.batchStart);
      target.addBatch(target.batchStart + batch.length);
    }
    target.flush({ block: (_, bytes, start, end) => blocks.push(bytes.slice(start, end)) });
    count += pairs.count;
    return blocks;
  });
  const sourceOf = (blocks: readonly Uint8Array[]): BlockSource => {
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
  };
  measure(name, count, () => {
    const stream = kernel.merge(runs.map(sourceOf), fold);
    while (stream.next() !== undefined);
  });
}

const M = 1_000_000;
measureCollect("sum, words, 50 k of 50 k", 64 * MiB, { ...plain, fold: sum }, () => words(4 * M, 50_000, false));
measureCollect("sum, words, zipf of 200 k", 64 * MiB, { ...plain, fold: sum }, () => words(4 * M, 200_000, true));
measureCollect("sum, words, 1 M of 1 M", 64 * MiB, { ...plain, fold: sum }, () => words(4 * M, M, false));
measureCollect("sum, words, 1 M of 1 M, always", 64 * MiB, { ...plain, fold: sum, combining: "always" }, () =>
  words(4 * M, M, false),
);
measureCollect("user fold, words, 50 k of 50 k", 64 * MiB, { ...plain, fold: user }, () => words(4 * M, 50_000, false));
const tera = (count: number) =>
  encode(
    count,
    () => Uint8Array.from({ length: 10 }, () => 32 + below(95)),
    () => new Uint8Array(90).fill(below(256)),
  );
measureCollect("plain, 100 bytes, random keys", 64 * MiB, plain, () => tera(M));
measureCollect("plain, 100 bytes, 1 partition", 64 * MiB, { ...plain, partitions: 1 }, () => tera(M));
const boundaries = Array.from({ length: 7 }, (_, i) => Uint8Array.of(32 + (i + 1) * 12));
measureCollect("plain, 100 bytes, by range", 64 * MiB, { ...plain, partitioner: { kind: "range", boundaries } }, () =>
  tera(M),
);
const url = () => text(`https://www.example.org/shop/articles/${below(300_000)}/reviews`);
measureCollect("plain, URL keys", 64 * MiB, plain, () => encode(M, url, () => one));
measureCollect("plain, one key", 64 * MiB, plain, () =>
  encode(
    M,
    () => text("the same key for all of them"),
    () => one,
  ),
);
for (const width of [8, 64]) {
  measureMerge(`merge of ${width}, 100 bytes`, width, undefined, () => tera(M / 2 / width));
  measureMerge(`merge of ${width}, URL keys`, width, undefined, () => encode(M / 2 / width, url, () => one));
  measureMerge(`merge of ${width}, sum of words`, width, sum, () => {
    const seen = new Set<string>();
    while (seen.size < M / 2 / width) seen.add(Buffer.from(letters(3 + below(3))).toString());
    const list = [...seen];
    return encode(
      list.length,
      (i) => text(list[i]!),
      () => one,
    );
  });
}

await bench.run();
for (const task of bench.tasks) {
  if (!("latency" in task.result)) throw task.result;
  const perPair = (task.result.latency.min * 1e6) / counts.get(task.name)!;
  console.log(`${task.name.padEnd(34)} ${perPair.toFixed(1).padStart(8)} ns/pair  ${notes.get(task.name)!()}`);
}
