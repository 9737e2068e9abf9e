import { compareBytes } from "../../base/bytes/bytes.ts";
import { limits } from "../../base/limits.ts";
import { wholeNumber } from "../check.ts";
import type { KeyCodec } from "../codec.ts";
import { codecName } from "../codecs/facts.ts";
import { type Aggregate, aggregateOf } from "./aggregate.ts";
import { fieldAndCodec, keyCodecGiven } from "./codec-given.ts";
import { type MaxOption, maxOf, maxOption } from "./collect.ts";
import { partOf, readsField, tooMany } from "./field.ts";
import { encodedBy, ListReader, writeItem } from "./list.ts";
import type { Has } from "./numbers.ts";

/** A value of `topK`, and how many times it was there. */
export interface Frequent<T> {
  /** As the codec reads it. */
  readonly value: T;
  /** How many values of the key were this one. */
  readonly count: number;
}

/**
 * The n most frequent values of a field, or of the values themselves, with their counts; of equally frequent ones those
 * first that are less in the codec's order. Exact: all different values of a key are counted.
 * @throws `over-limit` beyond `max` different values of one key, by default 1,000,000.
 * @throws `wrong-job` for an n beyond 10,000.
 * @example aggregate: stats({ pages: topK(10, "page", utf8) })
 */
export function topK<const F extends string, T>(
  n: number,
  field: F,
  codec: KeyCodec<T>,
  options?: MaxOption,
): Aggregate<Has<F, T>, readonly Frequent<T>[]>;
/** The same of the values themselves. */
export function topK<T>(n: number, codec: KeyCodec<T>, options?: MaxOption): Aggregate<T, readonly Frequent<T>[]>;
export function topK<In, Out>(n: number, ...given: readonly unknown[]): Aggregate<In, Out> {
  const most = wholeNumber("the n of topK", n, 1, limits.topMax);
  const { field, codec: second, more } = fieldAndCodec("topK", given, maxOption);
  const codec = keyCodecGiven("topK", second);
  const name = `topK(${[most, ...(field === undefined ? [] : [JSON.stringify(field)]), codecName(codec)].join(", ")})`;
  const max = maxOf(name, more, limits.distinctMax);
  // The state: for each different value in order its bytes after their length, and how many there are as a varint.
  return aggregateOf({
    kind: "state",
    name,
    reads: readsField(field),
    lift(value, out) {
      writeItem(encodedBy(codec, partOf(name, value, field)), out);
      out.writeVarint(1);
    },
    begin() {
      /** By their bytes as text of one character a byte. */
      const counts = new Map<string, number>();
      return {
        add(bytes, start, end) {
          for (const list = new ListReader(bytes, start, end); list.next(); ) {
            const item = Buffer.from(bytes.buffer, bytes.byteOffset + list.start, list.at - list.start);
            const text = item.toString("latin1");
            counts.set(text, (counts.get(text) ?? 0) + list.number());
          }
          if (counts.size > max) {
            throw tooMany(name, max, "different values", "Raise max, or count them by key in a job of its own.");
          }
        },
        write(out) {
          for (const [item, count] of itemsOf(counts).sort(([a], [b]) => compareBytes(a, b))) {
            writeItem(item, out);
            out.writeVarint(count);
          }
        },
        finish: () =>
          itemsOf(counts)
            .sort(([a, m], [b, n]) => n - m || compareBytes(a, b))
            .slice(0, most)
            .map(([item, count]) => ({ value: codec.read(new Uint8Array(item)), count })),
      };
    },
  });
}

function itemsOf(counts: ReadonlyMap<string, number>): [item: Uint8Array, count: number][] {
  return [...counts].map(([text, count]) => [Buffer.from(text, "latin1"), count]);
}
