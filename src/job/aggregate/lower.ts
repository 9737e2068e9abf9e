// What the engine makes of a job's `aggregate`: a value codec, whose values are lifted as they are written, a fold of
// states, and a reduce that gets the result.
import { types } from "node:util";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import { isPlainObject } from "../../base/value/plain-value.ts";
import type { KernelColumn } from "../../kernel/kernel.ts";
import { wrong } from "../check.ts";
import type { Codec, KeyCodec } from "../codec.ts";
import { builtIn, codecNames } from "../codecs/facts.ts";
import { type Shape, shapeOf, unknownShape } from "../codecs/shape.ts";
import type { JobDefinition } from "../definition.ts";
import { aggregateDefinition, type StateAggregate } from "./aggregate.ts";
import type { Column } from "./columns.ts";
import { asState } from "./combined.ts";
import { notCalled } from "./numbers.ts";

/** Throws `wrong-job` for what is no aggregate. */
export function parseAggregate(value: unknown): StateAggregate {
  const definition = aggregateDefinition(value);
  if (definition !== undefined) return asState(definition);
  throw (
    notCalled("aggregate", value) ??
    wrong(`aggregate is an aggregate such as count() or stats({ … }), not ${excerptOf(value)}`)
  );
}

/** A state, as those see it who read values: checks, replay. The engine merges states without it. */
export class State {
  readonly #bytes: Uint8Array;
  /** What it would be the result of; undefined where it can't be finished. */
  readonly result: unknown;

  constructor(aggregate: StateAggregate, bytes: Uint8Array) {
    this.#bytes = bytes;
    try {
      const accumulator = aggregate.begin();
      accumulator.add(bytes, 0, bytes.length);
      this.result = accumulator.finish();
    } catch {
      // what is refused in a reduce is said there
    }
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }
}

/** What a value is told by to people: for an aggregate by what it would come to alone. */
export function resultOfState(value: unknown): unknown {
  return !types.isProxy(value) && value instanceof State ? value.result : value;
}

/** Writes what is emitted as a state, and states as they are. */
export function stateCodec(aggregate: StateAggregate): Codec<unknown> {
  return builtIn<Codec<unknown>>(
    {
      ordered: false,
      write(value, out) {
        if (value instanceof State) out.writeBytes(value.bytes);
        else aggregate.lift(value, out);
      },
      read: (bytes) => new State(aggregate, new Uint8Array(bytes)),
    },
    { name: aggregate.name },
  );
}

/** Merges two states, as those see it who try laws. */
export function mergeStates(aggregate: StateAggregate): (a: unknown, b: unknown) => unknown {
  return (a, b) => {
    const accumulator = aggregate.begin();
    for (const { bytes } of [a as State, b as State]) accumulator.add(bytes, 0, bytes.length);
    const buffer = new ByteBuffer(64);
    accumulator.write(buffer);
    return new State(aggregate, buffer.copy());
  };
}

/** The columns of an aggregate whose states the kernel can merge itself; undefined: it has to call for each of them. */
export function kernelColumns({ columns }: StateAggregate): readonly KernelColumn[] | undefined {
  if (columns === undefined || columns.length > limits.kernelColumnsMax) return undefined;
  return columns.map(({ kind }) => kernelColumn[kind]);
}

const kernelColumn: Readonly<Record<Column["kind"], KernelColumn>> = {
  count: "count",
  countIf: "count",
  sum: "sum",
  squares: "sum",
  min: "min",
  max: "max",
};

type Reduce = NonNullable<JobDefinition["reduce"]>;

/**
 * The reduce of a job that has none: writes key and result, as one object where both have names. Throws `wrong-job` for
 * a name that both have.
 */
export function writesResults(key: KeyCodec<unknown>, aggregate: StateAggregate): Reduce {
  const keyNames = codecNames(key);
  if (keyNames === undefined) return (group, result, emit) => (emit as EmitRecord)([group, result]);
  const names = namesOf(aggregate);
  const twice = names?.find((name) => keyNames.includes(name));
  if (twice !== undefined) throw nameTwice(twice);
  return (group, result: unknown, emit) => {
    if (typeof result !== "object" || result === null || Array.isArray(result) || !isPlainObject(result)) {
      (emit as EmitRecord)([group, result]);
      return;
    }
    if (names === undefined) {
      for (const name of keyNames) if (Object.hasOwn(result, name)) throw nameTwice(name);
    }
    (emit as EmitRecord)({ ...(group as object), ...result });
  };
}

type EmitRecord = (record: unknown) => void;

function nameTwice(name: string): MillraceError {
  return wrong(
    `aggregate: the key and the result both have the name ${JSON.stringify(name)}: rename one, in fields or in stats`,
  );
}

/** What is known of what is written, where the job has no reduce; undefined where nothing is. */
export function resultShape(key: KeyCodec<unknown>, { gives = unknownShape }: StateAggregate): Shape | undefined {
  const group = shapeOf(key);
  if (group.kind !== "object" || codecNames(key) === undefined)
    return { kind: "array", parts: [group, gives], names: ["the key", "the result"] };
  if (gives.kind !== "object") return undefined;
  return { kind: "object", names: [...group.names, ...gives.names], parts: [...group.parts, ...gives.parts] };
}

function namesOf({ gives }: StateAggregate): readonly string[] | undefined {
  return gives?.kind === "object" ? gives.names : undefined;
}
