import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { wrong } from "../check.ts";
import { type Aggregate, aggregateDefinition } from "./aggregate.ts";
import { asState } from "./combined.ts";

/**
 * Folds values here and now, in a reduce or a test.
 * @throws `wrong-value` without values, unless the aggregate is `count()` or `countIf`.
 * @example const total = fold(sum(), [1, 2, 3]);
 */
export function fold<In, Out>(aggregate: Aggregate<In, Out>, values: Iterable<In>): Out {
  const given = aggregateDefinition(aggregate);
  if (given === undefined) throw wrong(`fold takes an aggregate, not ${excerptOf(aggregate)}`);
  const { lift, begin } = asState(given);
  const accumulator = begin();
  const buffer = new ByteBuffer(64);
  let isEmpty = true;
  for (const value of values) {
    buffer.reset();
    lift(value, buffer);
    // A plain view: a codec may call `slice` for a copy, and on a Buffer that makes none.
    accumulator.add(new Uint8Array(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.length), 0, buffer.length);
    isEmpty = false;
  }
  if (!isEmpty) return accumulator.finish() as Out;
  if ("ofNone" in given) return given.ofNone as Out;
  throw new MillraceError("wrong-value", `fold: ${given.name} has no result where there are no values`);
}
