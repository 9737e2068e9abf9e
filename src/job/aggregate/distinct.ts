// `countDistinct`: the encoded values as a sorted set, or as a HyperLogLog. Both are maxima of a kind, so that the
// order of merging means nothing.
import { compareBytes } from "../../base/bytes/bytes.ts";
import { limits } from "../../base/limits.ts";
import type { KeyCodec } from "../codec.ts";
import { codecName } from "../codecs/facts.ts";
import { type Aggregate, aggregateOf } from "./aggregate.ts";
import { fieldAndCodec, keyCodecGiven } from "./codec-given.ts";
import { type MaxOption, maxOf, maxOption } from "./collect.ts";
import { nameOf, partOf, readsField, tooMany } from "./field.ts";
import { Registers } from "./hyper-log-log.ts";
import { encodedBy, ListReader, writeItem } from "./list.ts";
import type { Has } from "./numbers.ts";

/** Counts different values of a field: `countDistinct` and `countDistinct.approx`. */
export type Distinct = <const F extends string, T>(
  field: F,
  codec: KeyCodec<T>,
  options?: MaxOption,
) => Aggregate<Has<F, T>, number>;

/**
 * How many different values a field has. Exact; `countDistinct.approx` has a standard error of 0.8 % (HyperLogLog) and
 * takes at most 12 kB for each key.
 * @throws `over-limit` beyond `max` different values of one key, by default 1,000,000; not `.approx`.
 * @example aggregate: stats({ users: countDistinct("user", utf8) })
 */
export const countDistinct: Distinct & {
  /** As `countDistinct`, with a standard error of 0.8 % in at most 12 kB for each key. */
  readonly approx: Distinct;
} = Object.freeze(Object.assign(exact, { approx }));

function exact<In>(...given: readonly unknown[]): Aggregate<In, number> {
  const { field, codec: second, more } = fieldAndCodec("countDistinct", given, maxOption);
  const codec = keyCodecGiven("countDistinct", second);
  const name = nameOf("countDistinct", field, codecName(codec));
  const max = maxOf(name, more, limits.distinctMax);
  // The state: the values' bytes in order, each after its length.
  return aggregateOf({
    kind: "state",
    name,
    reads: readsField(field),
    lift: (value, out) => writeItem(encodedBy(codec, partOf(name, value, field)), out),
    begin() {
      /** By their bytes as text of one character a byte: its order is that of the bytes. */
      const items = new Set<string>();
      return {
        add(bytes, start, end) {
          for (const list = new ListReader(bytes, start, end); list.next(); ) {
            items.add(
              Buffer.from(bytes.buffer, bytes.byteOffset + list.start, list.at - list.start).toString("latin1"),
            );
          }
          if (items.size > max) {
            throw tooMany(name, max, "different values", "Raise max, or use countDistinct.approx.");
          }
        },
        write(out) {
          const sorted = [...items].map((item) => Buffer.from(item, "latin1")).sort(compareBytes);
          for (const item of sorted) writeItem(item, out);
        },
        finish: () => items.size,
      };
    },
  });
}

function approx<In>(...given: readonly unknown[]): Aggregate<In, number> {
  const { field, codec: second, more } = fieldAndCodec("countDistinct.approx", given, maxOption);
  const codec = keyCodecGiven("countDistinct.approx", second);
  const name = nameOf("countDistinct.approx", field, codecName(codec));
  maxOf(name, more, limits.distinctMax); // without effect, as registers do not grow, but no less checked
  return aggregateOf({
    kind: "state",
    name,
    reads: readsField(field),
    lift(value, out) {
      const registers = new Registers();
      registers.take(encodedBy(codec, partOf(name, value, field)));
      registers.write(out);
    },
    begin() {
      const registers = new Registers();
      return {
        add: (bytes, start, end) => registers.merge(bytes, start, end),
        write: (out) => registers.write(out),
        finish: () => registers.estimate(),
      };
    },
  });
}
