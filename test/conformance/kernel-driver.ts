// Drives a kernel the way the sort layer does, checks every block that it hands out, and the trivial model to compare
// with.
import { expect } from "vitest";
import { compareBytes } from "../../src/base/bytes/bytes.ts";
import { readF64, writeF64 } from "../../src/base/bytes/f64.ts";
import { mask64, partitionOfHash, xxh64Bigint } from "../../src/base/bytes/xxh64.ts";
import type { BlockSource, Collect, CollectOptions, Kernel, KernelFold, MergeStream } from "../../src/kernel/kernel.ts";
import {
  emissionTerm,
  type PairAt,
  pairBytes,
  pairDigest,
  parsePair,
  sharedPrefix,
  sumTerm,
  writePair,
} from "../../src/kernel/pair.ts";

export interface Emitted {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** With an explicit partitioner. */
  readonly partition?: number;
}

export interface Placed extends Emitted {
  readonly partition: number;
}

export interface Block {
  readonly partition: number;
  readonly payload: Uint8Array;
  readonly pairs: number;
  readonly digest: bigint;
}

export const plain: CollectOptions = {
  partitions: 1,
  partitioner: { kind: "hash" },
  group: undefined,
  fold: undefined,
  combining: "auto",
  firstEmission: 0,
};

export const sumFold: KernelFold = { on: "f64", by: "sum", integers: true };
export const firstFold: KernelFold = { on: "f64", by: (a) => a, integers: true };
export const lastFold: KernelFold = { on: "f64", by: (_, b) => b, integers: true };
/** "1", "2", "3" fold to "1,2,3": any wrong order or lost value shows. */
export const joinFold: KernelFold = {
  on: "bytes",
  by: (a, b) => {
    const joined = new Uint8Array(a.length + 1 + b.length);
    joined.set(a);
    joined[a.length] = 44;
    joined.set(b, a.length + 1);
    return joined;
  },
};

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function number(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeF64(bytes, 0, value);
  return bytes;
}

export function emit(key: string | Uint8Array, value: string | number | Uint8Array, partition?: number): Emitted {
  const pair = {
    key: typeof key === "string" ? utf8(key) : key,
    value: typeof value === "string" ? utf8(value) : typeof value === "number" ? number(value) : value,
  };
  return partition === undefined ? pair : { ...pair, partition };
}

/** Readable form: "2 key=value", numbers decoded where the fold says so. */
export function show(pairs: readonly Emitted[], numbers = false): readonly string[] {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  return pairs.map(
    ({ partition = 0, key, value }) => `${partition} ${text(key)}=${numbers ? readF64(value, 0) : text(value)}`,
  );
}

/** Writes pairs into the batch and hands them over; `cut(index)` ends a batch early. "full" flushes and goes on. */
export function addAll(
  collect: Collect,
  kernel: Kernel,
  options: CollectOptions,
  pairs: readonly Emitted[],
  flush: () => void,
  cut: (index: number) => boolean = () => false,
): void {
  let at = collect.batchStart;
  const submit = () => {
    for (let tries = 0; collect.addBatch(at) === "full"; tries++) {
      expect(tries, "a flush must make room").toBeLessThan(1000);
      flush();
    }
    at = collect.batchStart;
  };
  const explicit = options.partitioner.kind === "explicit";
  for (const [index, { key, value, partition }] of pairs.entries()) {
    const bytes = pairBytes(key.length, value.length) + (explicit ? 4 : 0);
    if (at + bytes > collect.batchEnd || cut(index)) submit();
    if (at + bytes > collect.batchEnd) {
      if (collect.addLarge(key, value, partition) === "full") {
        flush();
        expect(collect.addLarge(key, value, partition)).toBe("taken");
      }
      continue;
    }
    if (explicit) {
      new DataView(kernel.arena.buffer, kernel.arena.byteOffset).setUint32(at, partition!, true);
      at += 4;
    }
    at = writePair(kernel.arena, at, key, value);
  }
  submit();
}

export interface Collected {
  /** One per flush. */
  readonly runs: readonly (readonly Block[])[];
  readonly emissionDigest: bigint;
  readonly emissions: number;
}

/** Collects everything, with flushes where the kernel is full, where `flushAt` says so, and at the end. */
export function collectAll(
  kernel: Kernel,
  options: CollectOptions,
  pairs: readonly Emitted[],
  cuts: { readonly flushEvery?: number; readonly batchEvery?: number } = {},
): Collected {
  const collect = kernel.collect(options);
  const runs: Block[][] = [];
  const flush = () => {
    runs.push(flushed(collect, kernel));
    expect(collect.held).toBe(0);
  };
  const { flushEvery = Number.POSITIVE_INFINITY, batchEvery } = cuts;
  for (let from = 0; from < pairs.length; from += flushEvery) {
    const part = pairs.slice(from, from + flushEvery);
    addAll(collect, kernel, options, part, flush, (index) => batchEvery !== undefined && index % batchEvery === 0);
    if (flushEvery !== Number.POSITIVE_INFINITY) flush();
  }
  flush();
  return { runs, emissionDigest: collect.emissionDigest, emissions: collect.emissions };
}

/** Flushes and checks what every sink may rely on. */
export function flushed(collect: Collect, kernel: Kernel): Block[] {
  const blocks: Block[] = [];
  let last: Placed | undefined;
  collect.flush({
    block(partition, bytes, start, end, pairs, prefixBytes, digest) {
      const payload = bytes.slice(start, end);
      const parsed = checkBlock(payload, pairs, prefixBytes, digest, kernel.blockBytes, partition);
      if (last !== undefined) expect(comparePlaced(last, parsed[0]!)).toBeLessThanOrEqual(0);
      last = parsed.at(-1)!;
      blocks.push({ partition, payload, pairs, digest });
    },
  });
  return blocks;
}

/** The pairs of a block whose size, order, prefix, count and digest are right. */
export function checkBlock(
  payload: Uint8Array,
  pairs: number,
  prefixBytes: number,
  digest: bigint,
  blockBytes: number,
  partition: number,
): readonly Placed[] {
  const parsed = parseBlock(payload, partition);
  expect(parsed.length).toBe(pairs);
  expect(pairs).toBeGreaterThan(0);
  if (pairs > 1) expect(payload.length).toBeLessThanOrEqual(blockBytes);
  let sum = 0n;
  for (const [index, { key, value }] of parsed.entries()) {
    sum += pairDigest(key, value);
    if (index > 0 && compareBytes(parsed[index - 1]!.key, key) > 0) expect.fail("keys of a block are out of order");
  }
  expect(digest).toBe(sum & mask64);
  // Sorted keys share what the first and the last one share.
  expect(prefixBytes).toBe(sharedPrefix(parsed[0]!.key, parsed.at(-1)!.key));
  return parsed;
}

export function parseBlock(payload: Uint8Array, partition = 0): readonly Placed[] {
  const pairs: Placed[] = [];
  const at: PairAt = { keyStart: 0, keyEnd: 0, valueEnd: 0 };
  for (let start = 0; start < payload.length; start = at.valueEnd) {
    parsePair(payload, start, payload.length, at);
    pairs.push({
      partition,
      key: payload.subarray(at.keyStart, at.keyEnd),
      value: payload.subarray(at.keyEnd, at.valueEnd),
    });
  }
  return pairs;
}

export function pairsOf(blocks: readonly Block[]): readonly Placed[] {
  return blocks.flatMap(({ payload, partition }) => parseBlock(payload, partition));
}

/** A segment in memory; notes what `end` was told, and can be made to lie. */
export class MemorySource implements BlockSource {
  readonly blockBytesMax: number;
  pairsMax: number | undefined;
  bytesMax: number | undefined;
  readonly #blocks: readonly Uint8Array[];
  #next = 0;
  ended: { readonly pairs: number; readonly digest: bigint } | undefined;

  constructor(blocks: readonly Uint8Array[], blockBytesMax = Math.max(0, ...blocks.map((block) => block.length))) {
    this.#blocks = blocks;
    this.blockBytesMax = blockBytesMax;
  }

  read(target: Uint8Array, at: number): number {
    const block = this.#blocks[this.#next++];
    if (block === undefined) return 0;
    target.set(block, at);
    return block.length;
  }

  end(pairs: number, digest: bigint): void {
    expect(this.ended, "end is called once").toBeUndefined();
    this.ended = { pairs, digest };
  }
}

/** The same source, which says how much it holds: a kernel may then fold numbers in a table instead of merging. */
export function sized(source: MemorySource, pairsMax: number, bytesMax: number): MemorySource {
  return Object.assign(source, { pairsMax, bytesMax });
}

/** A sorted source of these pairs, in blocks of bounded size. */
export function sourceOf(pairs: readonly Emitted[], blockBytes = 1024): MemorySource {
  const blocks: Uint8Array[] = [];
  let open: Uint8Array[] = [];
  let size = 0;
  for (const { key, value } of pairs) {
    const bytes = new Uint8Array(pairBytes(key.length, value.length));
    writePair(bytes, 0, key, value);
    if (open.length > 0 && size + bytes.length > blockBytes) {
      blocks.push(Buffer.concat(open));
      open = [];
      size = 0;
    }
    open.push(bytes);
    size += bytes.length;
  }
  if (open.length > 0) blocks.push(Buffer.concat(open));
  return new MemorySource(blocks);
}

/** Reads a merge to its end and checks each block. */
export function drain(stream: MergeStream, kernel: Kernel, largestPair = 0): readonly Placed[] {
  const pairs: Placed[] = [];
  for (let block = stream.next(); block !== undefined; block = stream.next()) {
    const payload = block.bytes.slice(block.start, block.end);
    expect(payload.length).toBeLessThanOrEqual(
      Math.max(kernel.blockBytes, largestPair, payload.length * Number(block.pairs === 1)),
    );
    const parsed = checkBlock(payload, block.pairs, block.prefixBytes, block.digest, kernel.blockBytes, 0);
    if (pairs.length > 0) expect(compareBytes(pairs.at(-1)!.key, parsed[0]!.key)).toBeLessThanOrEqual(0);
    pairs.push(...parsed);
  }
  expect(stream.next()).toBeUndefined();
  return pairs;
}

/** Merges the runs of a collect, partition by partition, in groups of neighbours that fit the arena. */
export function mergeRuns(
  kernel: Kernel,
  runs: readonly (readonly Block[])[],
  fold: KernelFold | undefined,
): readonly Placed[] {
  const partitions = [...new Set(runs.flat().map((block) => block.partition))].sort((a, b) => a - b);
  return partitions.flatMap((partition) => {
    let level: MemorySource[] = runs.map(
      (run) => new MemorySource(run.filter((block) => block.partition === partition).map((block) => block.payload)),
    );
    for (;;) {
      const largest = Math.max(...level.map((source) => source.blockBytesMax));
      let width = level.length;
      while (!kernel.mergeFits(width, largest)) width--;
      expect(width).toBeGreaterThan(1 - Number(level.length === 1));
      if (width === level.length) {
        return drain(kernel.merge(level, fold), kernel).map((pair) => ({ ...pair, partition }));
      }
      const next: MemorySource[] = [];
      for (let from = 0; from < level.length; from += width) {
        next.push(sourceOf(drain(kernel.merge(level.slice(from, from + width), fold), kernel), kernel.blockBytes));
      }
      level = next;
    }
  });
}

// ── the model ────────────────────────────────────────────────────────────────

/** Partition of a key by the trivial reading of the contract. */
export function modelPartition(options: CollectOptions, { key, partition }: Emitted): number {
  const { partitioner, group } = options;
  if (partitioner.kind === "explicit") return partition!;
  const part = group === undefined ? key : modelGroup(key, group);
  if (partitioner.kind === "range")
    return partitioner.boundaries.filter((boundary) => compareBytes(boundary, part) <= 0).length;
  return partitionOfHash(Number(xxh64Bigint(part) >> 32n), options.partitions);
}

/** The grouping prefix, found with regular expressions instead of a scan. */
function modelGroup(key: Uint8Array, shapes: NonNullable<CollectOptions["group"]>): Uint8Array {
  let rest = Buffer.from(key).toString("latin1");
  let length = 0;
  for (const shape of shapes) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the marks of escaped parts are these bytes
    const pattern = shape === "ascending" ? /^(?:[^\x00]|\x00[^\x00])*\x00\x00/s : /^(?:[^\xff]|\xff[^\xff])*\xff\xff/s;
    const part =
      typeof shape === "number" ? Math.min(shape, rest.length) : (pattern.exec(rest)?.[0].length ?? rest.length);
    length += part;
    rest = rest.slice(part);
  }
  return key.subarray(0, length);
}

/** What a collect of these pairs must come to, once all its runs are merged. */
export function modelResult(options: CollectOptions, pairs: readonly Emitted[]): readonly Placed[] {
  const placed = pairs.map((pair) => ({ ...pair, partition: modelPartition(options, pair) })).sort(comparePlaced);
  const { fold } = options;
  if (fold === undefined) return placed;
  const folded: Placed[] = [];
  for (const pair of placed) {
    const last = folded.at(-1);
    if (last === undefined || comparePlaced(last, pair) !== 0) folded.push(pair);
    else folded[folded.length - 1] = { ...last, value: modelFold(fold, last.value, pair.value) };
  }
  return folded;
}

function modelFold(fold: KernelFold, a: Uint8Array, b: Uint8Array): Uint8Array {
  if (fold.on === "bytes") return fold.by(a, b);
  const [x, y] = [readF64(a, 0), readF64(b, 0)];
  if (typeof fold.by === "function") return number(fold.by(x, y));
  return number(fold.by === "sum" ? x + y : fold.by === "min" ? Math.min(x, y) : Math.max(x, y));
}

export function modelDigest(options: CollectOptions, pairs: readonly Emitted[]): bigint {
  let sum = 0n;
  for (const [index, pair] of pairs.entries()) {
    const partition = modelPartition(options, pair);
    sum +=
      options.sums === true
        ? sumTerm(pair.key, pair.value, partition)
        : emissionTerm(pair.key, pair.value, partition, options.firstEmission + index);
  }
  return sum & mask64;
}

export function comparePlaced(a: Placed, b: Placed): number {
  return a.partition - b.partition || compareBytes(a.key, b.key);
}
