// What a job's output must be, the slow way: one loop, everything in memory, nothing shared with the engine but the
// functions of the job itself. Own encoding, own order, own hash, own lines and cells. If the two disagree, one of them
// is wrong.

export type OracleKey = string | number | readonly [string, number];
export type OracleValue = string | number;

export interface OracleJob {
  /** One per input, in order. */
  readonly maps: readonly ((line: string, emit: (key: OracleKey, value: OracleValue) => void) => void)[];
  readonly partitions: number;
  /** Default: by hash. */
  readonly choose?: ((key: OracleKey, partitions: number) => number) | undefined;
  /** Group by the first part of a pair. */
  readonly grouped?: boolean;
  readonly combine?: ((a: never, b: never) => OracleValue) | undefined;
  /** Left out: the folded or all values. */
  readonly reduce?:
    | ((key: OracleKey, values: Iterable<never>, emit: (row: readonly (string | number)[]) => void) => void)
    | undefined;
}

interface Emitted {
  readonly key: OracleKey;
  readonly bytes: Buffer;
  readonly partition: number;
  readonly value: OracleValue;
}

/** The part files, as tsv. `inputs[i]` are the contents of the files of input i, in order. */
export function oracle(job: OracleJob, inputs: readonly (readonly Buffer[])[]): string[] {
  const emitted: Emitted[] = [];
  for (const [input, files] of inputs.entries()) {
    for (const file of files) {
      for (const line of linesOf(file)) {
        job.maps[input]!(line, (key, value) => {
          const bytes = encodeKey(key);
          const grouping = job.grouped ? encodeKey(key, true) : bytes;
          const partition = job.choose?.(key, job.partitions) ?? partitionOf(grouping, job.partitions);
          emitted.push({ key, bytes, partition, value });
        });
      }
    }
  }
  // Array.prototype.sort is stable, so the values of a key stay in order of emission.
  emitted.sort((a, b) => a.partition - b.partition || Buffer.compare(a.bytes, b.bytes));
  const parts = Array.from({ length: job.partitions }, () => "");
  for (const group of runsOf(
    folded(emitted, job),
    job.grouped && job.reduce ? (e) => encodeKey(e.key, true) : (e) => e.bytes,
  )) {
    const { key, partition } = group[0]!;
    const emit = (row: readonly (string | number)[]) => {
      parts[partition] += `${row.map(cell).join("\t")}\n`;
    };
    if (job.reduce)
      job.reduce(
        job.grouped ? (key as readonly [string, number])[0] : key,
        group.map((e) => e.value as never),
        emit,
      );
    else for (const { key, value } of group) emit([key as string | number, value]);
  }
  return parts;
}

/** Values of equal keys, folded from the left; all of them without `combine`. */
function folded(emitted: readonly Emitted[], { combine }: OracleJob): Emitted[] {
  if (combine === undefined) return [...emitted];
  return runsOf(emitted, (e) => e.bytes).map((run) => {
    const value = run.map((e) => e.value).reduce((a, b) => combine(a as never, b as never));
    return { ...run[0]!, value };
  });
}

/** Neighbours of one partition with equal keys. */
function runsOf(sorted: readonly Emitted[], keyOf: (e: Emitted) => Buffer): Emitted[][] {
  const runs: Emitted[][] = [];
  for (const next of sorted) {
    const last = runs.at(-1)?.[0];
    if (last !== undefined && last.partition === next.partition && keyOf(last).equals(keyOf(next)))
      runs.at(-1)!.push(next);
    else runs.push([next]);
  }
  return runs;
}

/** Lines end with LF, or with the file; one CR before the LF is not part of the line. */
function linesOf(file: Buffer): string[] {
  const lines = file.toString("latin1").split("\n");
  const last = lines.pop()!;
  const all = [...lines.map((line) => line.replace(/\r$/, "")), ...(last === "" ? [] : [last])];
  return all.map((line) => Buffer.from(line, "latin1").toString("utf8"));
}

function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  return value.replace(/[\\\t\n\r]/g, (c) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" })[c]!);
}

function encodeKey(key: OracleKey, prefixOnly = false): Buffer {
  if (typeof key === "string") return Buffer.from(key);
  if (typeof key === "number") return encodeNumber(key);
  // 00 in a text becomes 00 FF, and 00 00 ends it.
  const text = Buffer.from(Buffer.from(key[0]).toString("latin1").replaceAll("\0", "\0\xff"), "latin1");
  const prefix = Buffer.concat([text, Buffer.from([0, 0])]);
  return prefixOnly ? prefix : Buffer.concat([prefix, encodeNumber(key[1])]);
}

/** Sign bit flipped; all bits where it is negative. */
function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value === 0 ? 0 : value);
  const negative = bytes[0]! >= 128;
  return bytes.map((byte, i) => (negative ? 255 - byte : i === 0 ? byte ^ 128 : byte)) as Buffer;
}

function partitionOf(bytes: Buffer, partitions: number): number {
  return Number(((xxh64(bytes) >> 32n) * BigInt(partitions)) >> 32n);
}

const [p1, p2, p3] = [11400714785074694791n, 14029467366897019727n, 1609587929392839161n] as [bigint, bigint, bigint];
const [p4, p5] = [9650029242287828579n, 2870177450012600261n] as [bigint, bigint];
const u64 = (n: bigint) => BigInt.asUintN(64, n);
const rotate = (n: bigint, by: bigint) => u64((n << by) | (n >> (64n - by)));
const round = (acc: bigint, lane: bigint) => u64(rotate(u64(acc + lane * p2), 31n) * p1);

/** XXH64 with seed 0, by its specification. */
export function xxh64(bytes: Buffer): bigint {
  let at = 0;
  let hash = p5;
  if (bytes.length >= 32) {
    const lanes = [u64(p1 + p2), p2, 0n, u64(-p1)];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) lanes[lane] = round(lanes[lane]!, bytes.readBigUInt64LE(at + lane * 8));
    }
    hash = u64(rotate(lanes[0]!, 1n) + rotate(lanes[1]!, 7n) + rotate(lanes[2]!, 12n) + rotate(lanes[3]!, 18n));
    for (const lane of lanes) hash = u64((hash ^ round(0n, lane)) * p1 + p4);
  }
  hash = u64(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8)
    hash = u64(rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * p1 + p4);
  for (; at + 4 <= bytes.length; at += 4)
    hash = u64(rotate(hash ^ u64(BigInt(bytes.readUInt32LE(at)) * p1), 23n) * p2 + p3);
  for (; at < bytes.length; at++) hash = u64(rotate(hash ^ u64(BigInt(bytes[at]!) * p5), 11n) * p1);
  hash = u64((hash ^ (hash >> 33n)) * p2);
  hash = u64((hash ^ (hash >> 29n)) * p3);
  return hash ^ (hash >> 32n);
}
