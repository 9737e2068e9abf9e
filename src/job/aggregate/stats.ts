import { excerptOf } from "../../base/excerpt.ts";
import { isObject, wrong } from "../check.ts";
import { unknownShape } from "../codecs/shape.ts";
import { type Aggregate, type AggregateDefinition, aggregateDefinition, aggregateOf } from "./aggregate.ts";
import { combined } from "./combined.ts";
import type { Reads } from "./field.ts";
import { checkFieldName } from "./names.ts";
import { notCalled } from "./numbers.ts";

type Flat<T> = { [K in keyof T]: T[K] } & {};

/**
 * Shown in a compile error: one part of `stats` reads a field of the value, another the value itself, as `sum()` does:
 * name fields in all of them.
 */
export interface ValueOrFields {
  readonly [says]: never;
}
declare const says: unique symbol;

/** What a value must be for all parts of `stats`: every field that any of them reads. */
export type TakenBy<S> = {
  [N in keyof S]: S[N] extends Aggregate<infer In, unknown> ? (value: In) => void : never;
}[keyof S] extends (value: infer All) => void
  ? unknown extends All
    ? unknown
    : All extends object
      ? All extends number | bigint | string | boolean
        ? ValueOrFields
        : Flat<All>
      : All
  : never;
/** The results of the parts of `stats`, by name. */
export type GivenBy<S> = { readonly [N in keyof S]: S[N] extends Aggregate<never, infer Out> ? Out : never } & {};

/**
 * Several aggregates at once, by name: the names are the columns of the result. A value must have every field that any
 * part reads, so a whole record will do.
 * @throws `wrong-job` for what is no aggregate.
 * @example aggregate: stats({ n: count(), total: sum("bytes"), slowest: max("ms") })
 */
export function stats<const S extends { readonly [name: string]: Aggregate<never, unknown> }>(
  parts: S,
): Aggregate<TakenBy<S>, GivenBy<S>> {
  if (!isObject(parts)) throw wrong(`stats takes an object of aggregates by name, not ${excerptOf(parts)}`);
  const names = Object.keys(parts);
  if (names.length === 0) throw wrong("stats names no aggregate");
  const definitions = names.map((name) => partOf(name, parts[name]));
  const { columns, lift, begin } = combined(definitions);
  return aggregateOf({
    kind: "state",
    name: `stats({ ${names.join(", ")} })`,
    gives: { kind: "object", names, parts: definitions.map(({ gives }) => gives ?? unknownShape) },
    reads: readsOf(definitions),
    columns,
    lift,
    begin() {
      const accumulator = begin();
      return {
        add: (bytes, start, end) => accumulator.add(bytes, start, end),
        write: (out) => accumulator.write(out),
        finish: () => named(names, accumulator.finish()),
      };
    },
  });
}

function partOf(name: string, part: unknown): AggregateDefinition {
  checkFieldName("stats", name);
  const definition = aggregateDefinition(part);
  if (definition !== undefined) return definition;
  throw (
    notCalled(`stats: ${name}`, part) ??
    wrong(`stats: ${name} is an aggregate such as count() or sum("bytes"), not ${excerptOf(part)}`)
  );
}

function named(names: readonly string[], results: readonly unknown[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let i = 0; i < names.length; i++) object[names[i]!] = results[i];
  return object;
}

/** Throws `wrong-job` where one part reads fields and another the value itself. */
function readsOf(parts: readonly AggregateDefinition[]): Reads {
  const kinds = parts.map(({ reads }) => reads.kind);
  const [value, fields] = [kinds.indexOf("value"), kinds.indexOf("fields")];
  if (value >= 0 && fields >= 0) {
    throw wrong(
      `stats: ${parts[value]!.name} reads the value itself, and ${parts[fields]!.name} a field of it: name fields in all of them`,
    );
  }
  if (kinds.includes("unknown")) return { kind: "unknown" };
  if (value >= 0) return { kind: "value" };
  const names = parts.flatMap(({ reads }) => (reads.kind === "fields" ? reads.names : []));
  return names.length === 0 ? { kind: "nothing" } : { kind: "fields", names: [...new Set(names)] };
}
