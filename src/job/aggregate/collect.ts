import { limits } from "../../base/limits.ts";
import type { OptionNames } from "../../base/value/known-options.ts";
import { isObject, wholeNumber } from "../check.ts";
import type { Codec } from "../codec.ts";
import { codecName } from "../codecs/facts.ts";
import { type Aggregate, aggregateOf } from "./aggregate.ts";
import { codecGiven, fieldAndCodec } from "./codec-given.ts";
import { nameOf, partOf, readsField, tooMany } from "./field.ts";
import { encodedBy, ListReader, writeItem } from "./list.ts";
import type { Has } from "./numbers.ts";

/** Options of aggregates that keep a number of values of each key. */
export interface MaxOption {
  /** How many of one key there may be before the job fails with `over-limit`. Default: what the aggregate says. */
  readonly max?: number;
}

/**
 * All values of a field in input order, encoded by the codec.
 * @throws `over-limit` beyond `max` values of one key, by default 100,000.
 * @example aggregate: stats({ pages: collect("page", utf8, { max: 100 }) })
 */
export function collect<const F extends string, T>(
  field: F,
  codec: Codec<T>,
  options?: MaxOption,
): Aggregate<Has<F, T>, readonly T[]>;
/** All values themselves in input order. */
export function collect<T>(codec: Codec<T>, options?: MaxOption): Aggregate<T, readonly T[]>;
export function collect<In, Out>(...given: readonly unknown[]): Aggregate<In, Out> {
  const { field, codec: second, more } = fieldAndCodec("collect", given, maxOption);
  const codec = codecGiven("collect", second);
  const name = nameOf("collect", field, codecName(codec));
  const max = maxOf(name, more, limits.collectMax);
  // The state: each value's bytes after their length.
  return aggregateOf({
    kind: "state",
    name,
    reads: readsField(field),
    lift(value, out) {
      writeItem(encodedBy(codec, partOf(name, value, field)), out);
    },
    begin() {
      const items: Uint8Array[] = [];
      return {
        add(bytes, start, end) {
          for (const list = new ListReader(bytes, start, end); list.next(); ) items.push(list.copy());
          if (items.length > max) throw tooMany(name, max, "values", "Raise max, or read them one by one in a reduce.");
        },
        write(out) {
          for (const item of items) writeItem(item, out);
        },
        finish: () => items.map((item) => codec.read(item)),
      };
    },
  });
}

export const maxOption = { max: true } satisfies OptionNames<MaxOption>;

/** The option `max` in the last argument, which `fieldAndCodec` has checked. Throws `wrong-job`. */
export function maxOf(name: string, options: unknown, usual: number): number {
  const max = isObject(options) ? options["max"] : undefined;
  return max === undefined ? usual : wholeNumber(`${name} max`, max, 1, Number.MAX_SAFE_INTEGER);
}
