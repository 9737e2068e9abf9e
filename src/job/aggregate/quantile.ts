// `quantile`: how many numbers there are of each sign, exponent and leading bits. Counts add up, so that the order of
// merging means nothing, and only the bits of numbers are looked at, so that every machine gives the same.
//
// Buckets as wide as a share of the values in them give a quantile within a relative error: Masson, Rim and Lee,
// DDSketch (VLDB 2019). Theirs are powers of one number, found by a logarithm, which machines round differently;
// these are the 2^7 equal parts of each power of two, as in HdrHistogram. A part is at most 1/128 of its least number
// wide, which is the error: 0.8 %, and half of it where the result is the middle of a part. Numbers below 2.3e-308
// have fewer bits, and go by their distance. The least and the largest number are kept beside the buckets as they are,
// so that no result is outside of what the values span.
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { wrong } from "../check.ts";
import { type Aggregate, aggregateOf } from "./aggregate.ts";
import { fieldName, numberOf, readsField } from "./field.ts";
import type { Has } from "./numbers.ts";

/** Bits of a number that are kept behind its first. */
const keptBits = 7;
/** The parts of a power of two. */
const scale = 2 ** keptBits;

const view = new DataView(new ArrayBuffer(8));
const viewed = new Uint8Array(view.buffer);

/**
 * Numbers in order: 0 for 0, positive ones by their leading bits from 1 on, negative ones the same below 0. A bucket of
 * whole numbers below 256 holds one of them.
 */
function bucketOf(number: number): number {
  if (number === 0) return 0;
  view.setFloat64(0, Math.abs(number));
  // The sign is 0: 11 bits of exponent and the first of the fraction.
  const bucket = (view.getUint32(0) >>> (20 - keptBits)) + 1;
  return number < 0 ? -bucket : bucket;
}

/** The middle of a bucket's numbers; of those that hold one whole number below 256, that. */
function middleOf(bucket: number): number {
  if (bucket === 0) return 0;
  const leading = Math.abs(bucket) - 1;
  const least = numberAt(leading);
  const size = bucket < 0 ? -1 : 1;
  if (least === Number.POSITIVE_INFINITY || (least < 2 * scale && Number.isInteger(least))) return size * least;
  const next = numberAt(leading + 1);
  // The largest ones have infinity behind them.
  return size * (next === Number.POSITIVE_INFINITY ? least : least + (next - least) / 2);
}

function numberAt(leading: number): number {
  view.setUint32(0, leading << (20 - keptBits));
  view.setUint32(4, 0);
  return view.getFloat64(0);
}

/**
 * The number below or at which this share of the numbers is: 0.5 for the median, 0.95, 0 for the least, 1 for the
 * largest. Of the values themselves, or of a field of theirs. Within 0.8 % of the number of that rank, never below the
 * least or above the largest, which are exact, as are whole numbers below 256; a key takes a few kB, 14 where its
 * numbers go over nine powers of ten. For the number itself sort the numbers of each key, by `group: prefix(…)`.
 * @throws `wrong-job` for a share that is not between 0 and 1.
 * @throws `wrong-value` when emitting a value that is no number, or NaN.
 * @example aggregate: stats({ n: count(), p95: quantile(0.95, "ms") })
 */
export function quantile(share: number): Aggregate<number, number>;
/** The same of a field's numbers. */
export function quantile<const F extends string>(share: number, field: F): Aggregate<Has<F, number>, number>;
export function quantile<In>(share: number, field?: string): Aggregate<In, number> {
  if (typeof share !== "number" || !(share >= 0 && share <= 1)) {
    throw wrong(`quantile takes a share from 0 to 1 first, such as 0.95, not ${excerptOf(share)}`);
  }
  if (field !== undefined) fieldName("quantile", field);
  const name = `quantile(${share}${field === undefined ? "" : `, ${JSON.stringify(field)}`})`;
  return aggregateOf({
    kind: "state",
    name,
    reads: readsField(field),
    gives: { kind: "number" },
    // 0 and -0 are one number, and have to be the same bytes.
    lift: (value, out) => writeNumber(numberOf(name, value, field) + 0, out),
    begin() {
      const counts = new Map<number, number>();
      const span: Span = { least: Number.POSITIVE_INFINITY, largest: Number.NEGATIVE_INFINITY };
      return {
        add: (bytes, start, end) => addState(bytes, start, end, span, counts),
        write: (out) => writeState(span, inOrder(counts), out),
        finish: () => numberOfRank(share, span, inOrder(counts)),
      };
    },
  });
}

interface Span {
  least: number;
  largest: number;
}

type Buckets = readonly (readonly [bucket: number, count: number])[];

function inOrder(counts: ReadonlyMap<number, number>): Buckets {
  return [...counts].sort(([a], [b]) => a - b);
}

const numberBytes = 8;
/** Below all buckets, as an exponent has 11 bits. */
const lowest = -(2 ** 11) * scale - 1;

/**
 * The state of one number is that number, in 8 bytes. Of more: the least and the largest, and for each bucket in order
 * how far it is behind the one before (the first: behind the lowest of all), and how many numbers it has, both varints.
 */
function writeState({ least, largest }: Span, buckets: Buckets, out: ByteWriter): void {
  writeNumber(least, out);
  if (buckets.length === 1 && buckets[0]![1] === 1) return;
  writeNumber(largest, out);
  let before = lowest;
  for (const [bucket, count] of buckets) {
    out.writeVarint(bucket - before);
    out.writeVarint(count);
    before = bucket;
  }
}

function addState(bytes: Uint8Array, start: number, end: number, span: Span, counts: Map<number, number>): void {
  const least = readNumber(bytes, start);
  const isOne = end - start === numberBytes;
  const largest = isOne ? least : readNumber(bytes, start + numberBytes);
  if (least < span.least) span.least = least;
  if (largest > span.largest) span.largest = largest;
  if (isOne) addCount(counts, bucketOf(least), 1);
  else addBuckets(bytes, start + 2 * numberBytes, end, counts);
}

function writeNumber(number: number, out: ByteWriter): void {
  view.setFloat64(0, number);
  out.writeBytes(viewed);
}

function readNumber(bytes: Uint8Array, start: number): number {
  for (let i = 0; i < numberBytes; i++) viewed[i] = bytes[start + i]!;
  return view.getFloat64(0);
}

function addCount(counts: Map<number, number>, bucket: number, count: number): void {
  counts.set(bucket, (counts.get(bucket) ?? 0) + count);
}

function addBuckets(bytes: Uint8Array, start: number, end: number, counts: Map<number, number>): void {
  let at = start;
  const varint = () => {
    let number = 0;
    for (let place = 1; ; place *= 128) {
      const byte = bytes[at++]!;
      number += (byte & 127) * place;
      if (byte < 128) return number;
    }
  };
  for (let bucket = lowest; at < end; ) {
    bucket += varint();
    addCount(counts, bucket, varint());
  }
}

/** By the nearest rank: the least number that at least this share of all is not above. */
function numberOfRank(share: number, { least, largest }: Span, buckets: Buckets): number {
  const n = buckets.reduce((total, [, count]) => total + count, 0);
  const rank = rankOf(share, n);
  if (rank === 1) return least;
  if (rank === n) return largest;
  let below = 0;
  for (const [bucket, count] of buckets) {
    below += count;
    if (below >= rank) return Math.min(largest, Math.max(least, middleOf(bucket)));
  }
  return Number.NaN;
}

/**
 * The least whole number that is no less than `share * n`, and 1 at least. 0.07 * 100 is above 7, as it is rounded:
 * what is nearer to a whole number than the error is one.
 */
function rankOf(share: number, n: number): number {
  const exact = share * n;
  const whole = Math.round(exact);
  const isWhole = Math.abs(exact - whole) <= n * Number.EPSILON;
  return Math.max(1, Math.min(n, isWhole ? whole : Math.ceil(exact)));
}
