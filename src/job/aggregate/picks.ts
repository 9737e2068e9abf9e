// Aggregates that keep one of the values, as the bytes that a codec makes of it: the first, the last, the least, the
// largest. And the sum of bigints.
import { compareBytes } from "../../base/bytes/bytes.ts";
import type { Codec, ColumnCodec, KeyCodec } from "../codec.ts";
import { bigint, readBigint, writeBigint } from "../codecs/bigint.ts";
import { codecName } from "../codecs/facts.ts";
import { shapeOf } from "../codecs/shape.ts";
import { type Aggregate, aggregateOf, type StateAggregate } from "./aggregate.ts";
import { codecGiven, fieldAndCodec, keyCodecGiven } from "./codec-given.ts";
import { nameOf, partOf, readsField, wrongPart } from "./field.ts";
import type { Has } from "./numbers.ts";

/** Picks one of the values of a key: `first` and `last`. */
export interface Pick1 {
  /**
   * The one of a field, encoded by the codec.
   * @throws `wrong-value` when emitting a value without that field.
   */
  <const F extends string, T>(field: F, codec: Codec<T>): Aggregate<Has<F, T>, T>;
  /** The one of the values themselves, encoded by the codec. */
  <T>(codec: Codec<T>): Aggregate<T, T>;
}

/**
 * The earliest in input order, of a field or of the whole value; in a sorted group (`group: prefix(…)`) the first in
 * key order.
 * @example aggregate: first("page", utf8)
 */
export const first: Pick1 = pick("first");
/** The latest in input order, of a field or of the whole value; in a sorted group the last in key order. */
export const last: Pick1 = pick("last");

function pick(which: "first" | "last"): Pick1 {
  return <In, Out>(...given: readonly unknown[]): Aggregate<In, Out> => {
    const { field, codec } = fieldAndCodec(which, given, {});
    const name = nameOf(which, field, codecName(codecGiven(which, codec)));
    return aggregateOf(picking(name, field, codecGiven(which, codec), () => which === "last"));
  };
}

/** `min("at", date)`, `max(utf8)`: by the codec's order, the earlier one of equals. */
export function extremeByCodec(which: "min" | "max", given: readonly unknown[]): Aggregate<never, unknown> {
  const { field, codec } = fieldAndCodec(which, given, {});
  const key: KeyCodec<unknown> = keyCodecGiven(which, codec);
  const name = nameOf(which, field, codecName(key));
  const sign = which === "max" ? 1 : -1;
  return aggregateOf(picking(name, field, key, (held, next) => compareBytes(next, held) * sign > 0));
}

function picking(
  name: string,
  field: string | undefined,
  codec: Codec<unknown>,
  takesNext: (held: Uint8Array, next: Uint8Array) => boolean,
): StateAggregate {
  return {
    kind: "state",
    name,
    reads: readsField(field),
    gives: shapeOf(codec),
    lift: (value, out) => codec.write(partOf(name, value, field), out),
    begin() {
      let held: Uint8Array | undefined;
      return {
        add(bytes, start, end) {
          const next = bytes.subarray(start, end);
          if (held === undefined || takesNext(held, next)) held = new Uint8Array(next);
        },
        write: (out) => out.writeBytes(held!),
        finish: () => codec.read(held!),
      };
    },
  };
}

/** `sum("cents", bigint)`: of any size. */
export function sumOfBigints(field: string | undefined, codec: ColumnCodec<bigint>): Aggregate<never, bigint> {
  const name = nameOf("sum", field, codecName(codec as unknown as Codec<unknown>));
  return aggregateOf({
    kind: "state",
    name,
    reads: readsField(field),
    gives: { kind: "bigint" },
    lift(value, out) {
      const part = partOf(name, value, field);
      if (typeof part !== "bigint") throw wrongPart(name, "bigints", part, field);
      bigint.write(part, out);
    },
    begin() {
      let total = 0n;
      return {
        add(bytes, start) {
          total += readBigint(bytes, start);
        },
        write: (out) => writeBigint(total, out),
        finish: () => total,
      };
    },
  });
}
