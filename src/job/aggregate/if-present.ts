import { excerptOf } from "../../base/excerpt.ts";
import { wrong } from "../check.ts";
import { type Aggregate, aggregateDefinition, aggregateOf } from "./aggregate.ts";
import { asState } from "./combined.ts";
import { notCalled } from "./numbers.ts";

/**
 * Skips values in which a field that the aggregate reads is null or missing. The result is null where none is left, of
 * `sum` too.
 * @throws `wrong-job` for an aggregate that names no field.
 * @example aggregate: stats({ flats: count(), rent: ifPresent(mean("rent")) })
 */
export function ifPresent<In extends object, Out>(
  aggregate: Aggregate<In, Out>,
): Aggregate<{ readonly [N in keyof In]?: In[N] | null | undefined }, Out | null> {
  const given = aggregateDefinition(aggregate);
  if (given === undefined) {
    throw notCalled("ifPresent", aggregate) ?? wrong(`ifPresent takes an aggregate, not ${excerptOf(aggregate)}`);
  }
  const { name, reads, gives, lift, begin } = asState(given);
  if (reads.kind !== "fields") {
    throw wrong(`ifPresent(${name}): it skips values without the fields that an aggregate names, and this names none`);
  }
  const has = (value: unknown): boolean => {
    const record = value as Readonly<Record<string, unknown>> | null | undefined;
    return reads.names.every((field) => record?.[field] !== undefined && record[field] !== null);
  };
  // The state: nothing, or 1 and the aggregate's own, which may be empty.
  return aggregateOf({
    kind: "state",
    name: `ifPresent(${name})`,
    reads,
    ...(gives !== undefined && { gives: { kind: "nullable", of: gives } }),
    lift(value, out) {
      if (!has(value)) return;
      out.writeUint8(1);
      lift(value, out);
    },
    begin() {
      let isAny = false;
      const accumulator = begin();
      return {
        add(bytes, start, end) {
          if (start === end) return;
          isAny = true;
          accumulator.add(bytes, start + 1, end);
        },
        write(out) {
          if (!isAny) return;
          out.writeUint8(1);
          accumulator.write(out);
        },
        finish: () => (isAny ? accumulator.finish() : null),
      };
    },
  });
}
