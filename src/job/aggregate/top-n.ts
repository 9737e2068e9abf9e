// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every codec; none reaches a user's variable
import { readF64, writeF64 } from "../../base/bytes/f64.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import { checkOptions, type OptionNames } from "../../base/value/known-options.ts";
import { isObject, oneOf, wholeNumber, wrong } from "../check.ts";
import type { Codec, ColumnCodec } from "../codec.ts";
import { float64 } from "../codecs/numbers.ts";
import type { Columns, ColumnsOf } from "../table.ts";
import { type Aggregate, aggregateOf } from "./aggregate.ts";
import { codecGiven } from "./codec-given.ts";
import { fieldName, numberOf, partOf } from "./field.ts";
import { encodedBy, ListReader, writeItem } from "./list.ts";
import type { Has } from "./numbers.ts";

type Flat<T> = { [K in keyof T]: T[K] } & {};

/** Options of `topN`. */
export interface TopOptions<C extends Columns> {
  /** The fields that are kept of each value, with their codecs. Default: the number. */
  readonly keep?: C;
  /** Which numbers are best. Default "largest". */
  readonly order?: "largest" | "smallest";
}

const known = { keep: true, order: true } satisfies OptionNames<TopOptions<Columns>>;

/** A value that is kept: its number, and the bytes of its fields one after the other. */
interface Kept {
  readonly number: number;
  readonly item: Uint8Array;
}

/**
 * The n values with the largest (or smallest) number in this field, best first, of equals the earlier in input order
 * first; of each only `keep`.
 * @throws `wrong-job` for an n beyond 10,000.
 * @example aggregate: stats({ slowest: topN(3, "ms", { keep: { page: utf8, ms: float64 } }) })
 */
export function topN<const F extends string, C extends Columns = { readonly [N in F]: ColumnCodec<number> }>(
  n: number,
  field: F,
  options: TopOptions<C> = {},
): Aggregate<Flat<Has<F, number> & ColumnsOf<C>>, readonly ColumnsOf<C>[]> {
  const most = wholeNumber("the n of topN", n, 1, limits.topMax);
  fieldName("topN", field);
  checkOptions("topN", options, known);
  const name = `topN(${most}, ${JSON.stringify(field)})`;
  const sign = oneOf(`${name} order`, options.order ?? "largest", ["largest", "smallest"]) === "largest" ? -1 : 1;
  const given: unknown = options.keep ?? { [field]: float64 };
  if (!isObject(given) || Object.keys(given).length === 0) {
    throw wrong(`${name} keep is an object of codecs by name, such as { page: utf8 }, not ${excerptOf(given)}`);
  }
  const keep = Object.entries(given).map(([part, codec]): [string, Codec<unknown>] => [
    part,
    codecGiven(`${name} keep.${part}`, codec),
  ]);
  // The state: the number and the fields of each that is kept, best first, each field after its length.
  return aggregateOf({
    kind: "state",
    name,
    reads: { kind: "fields", names: [...new Set([field, ...keep.map(([part]) => part)])] },
    lift(value, out) {
      const number = new Uint8Array(8);
      writeF64(number, 0, numberOf(name, value, field));
      out.writeBytes(number);
      for (const [part, codec] of keep) writeItem(encodedBy(codec, partOf(name, value, part)), out);
    },
    begin() {
      let kept: Kept[] = [];
      return {
        add(bytes, start, end) {
          kept = merged(kept, keptIn(bytes, start, end, keep.length), most, sign);
        },
        write(out) {
          const number = new Uint8Array(8);
          for (const one of kept) {
            writeF64(number, 0, one.number);
            out.writeBytes(number);
            out.writeBytes(one.item);
          }
        },
        finish: () => kept.map(({ item }) => readKept(item, keep)) as never,
      };
    },
  });
}

function keptIn(bytes: Uint8Array, start: number, end: number, fields: number): Kept[] {
  const kept: Kept[] = [];
  for (let at = start; at < end; ) {
    const number = readF64(bytes, at);
    const list = new ListReader(bytes, at + 8, end);
    for (let i = 0; i < fields; i++) list.next();
    kept.push({ number, item: new Uint8Array(bytes.subarray(at + 8, list.at)) });
    at = list.at;
  }
  return kept;
}

/** Whether the first number comes first; of equals it does. */
function comesFirst(a: number, b: number, sign: number): boolean {
  return sign < 0 ? a >= b : a <= b;
}

/** The best of two sorted lists; of equals those of the first list come first. */
function merged(first: readonly Kept[], second: readonly Kept[], most: number, sign: number): Kept[] {
  const last = first[first.length - 1];
  if (first.length === most && comesFirst(last!.number, second[0]!.number, sign)) return first as Kept[];
  const result: Kept[] = [];
  for (let i = 0, j = 0; result.length < most && (i < first.length || j < second.length); ) {
    const [a, b] = [first[i], second[j]];
    const takesFirst = b === undefined || (a !== undefined && comesFirst(a.number, b.number, sign));
    result.push(takesFirst ? a! : b);
    if (takesFirst) i++;
    else j++;
  }
  return result;
}

function readKept(item: Uint8Array, keep: readonly (readonly [string, Codec<unknown>])[]): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  const list = new ListReader(item, 0, item.length);
  for (const [name, codec] of keep) {
    list.next();
    record[name] = codec.read(list.copy());
  }
  return record;
}
