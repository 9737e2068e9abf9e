// Several aggregates as one: the columns of all that are numbers, of which equal ones are kept once, and behind them
// the states of the others, each with its length.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import type { Accumulator, AggregateDefinition, NumberAggregate, StateAggregate } from "./aggregate.ts";
import { type Column, ColumnsAccumulator, liftColumns, placeColumns } from "./columns.ts";

/** The aggregates in the order given, as far as they are numbers, and the others. */
export interface Combined {
  /** Undefined where the state is more than columns. */
  readonly columns: readonly Column[] | undefined;
  lift(value: unknown, out: ByteWriter): void;
  begin(): CombinedAccumulator;
}

interface NumberPart {
  readonly aggregate: NumberAggregate;
  /** Its place among the results. */
  readonly index: number;
  readonly at: readonly number[];
}

interface StatePart {
  readonly aggregate: StateAggregate;
  readonly index: number;
}

export function combined(aggregates: readonly AggregateDefinition[]): Combined {
  const columns: Column[] = [];
  const numbers: NumberPart[] = [];
  const states: StatePart[] = [];
  for (const [index, aggregate] of aggregates.entries()) {
    if (aggregate.kind === "state") states.push({ aggregate, index });
    else numbers.push({ aggregate, index, at: placeColumns(aggregate.columns, columns) });
  }
  const tailed = states.length > 0;
  const scratch = new Scratch();
  return {
    columns: tailed ? undefined : columns,
    lift(value, out) {
      liftColumns(columns, value, out, tailed);
      for (const { aggregate } of states) scratch.write(out, (buffer) => aggregate.lift(value, buffer));
    },
    begin: () => new CombinedAccumulator(columns, numbers, states, scratch),
  };
}

/** Writes bytes after their length. */
class Scratch {
  /** One per depth, because a part may be several aggregates itself. */
  readonly #buffers: ByteBuffer[] = [];
  #depth = 0;

  write(out: ByteWriter, write: (buffer: ByteBuffer) => void): void {
    const buffer = (this.#buffers[this.#depth] ??= new ByteBuffer(64));
    buffer.reset();
    this.#depth++;
    try {
      write(buffer);
    } finally {
      this.#depth--;
    }
    out.writeVarint(buffer.length);
    out.writeBytes(buffer.view());
    if (buffer.length > scratchBytesKept) this.#buffers.length = this.#depth; // one huge state does not stay for ever
  }
}

const scratchBytesKept = 1024 * 1024;

export class CombinedAccumulator implements Accumulator {
  readonly #columns: ColumnsAccumulator;
  readonly #numbers: readonly NumberPart[];
  readonly #states: readonly StatePart[];
  readonly #accumulators: readonly Accumulator[];
  readonly #scratch: Scratch;

  constructor(
    columns: readonly Column[],
    numbers: readonly NumberPart[],
    states: readonly StatePart[],
    scratch: Scratch,
  ) {
    this.#columns = new ColumnsAccumulator(columns, states.length > 0);
    this.#numbers = numbers;
    this.#states = states;
    this.#accumulators = states.map(({ aggregate }) => aggregate.begin());
    this.#scratch = scratch;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    let at = this.#columns.add(bytes, start, end);
    for (const accumulator of this.#accumulators) {
      let length = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++]!;
        length += (byte & 127) * scale;
        if (byte < 128) break;
      }
      accumulator.add(bytes, at, at + length);
      at += length;
    }
  }

  write(out: ByteWriter): void {
    this.#columns.write(out);
    for (const accumulator of this.#accumulators) this.#scratch.write(out, (buffer) => accumulator.write(buffer));
  }

  /** The results, in the order of the aggregates. */
  finish(): unknown[] {
    const results: unknown[] = [];
    for (const { aggregate, index, at } of this.#numbers) results[index] = aggregate.finish(this.#columns, at);
    for (const [i, { index }] of this.#states.entries()) results[index] = this.#accumulators[i]!.finish();
    return results;
  }
}

/** The aggregate as one with a state of its own. */
export function asState(aggregate: AggregateDefinition): StateAggregate {
  if (aggregate.kind === "state") return aggregate;
  const { name, reads } = aggregate;
  const { columns, lift, begin } = combined([aggregate]);
  const state: StateAggregate = {
    kind: "state",
    name,
    reads,
    columns,
    lift,
    begin() {
      const parts = begin();
      return {
        add: (bytes, start, end) => parts.add(bytes, start, end),
        write: (out) => parts.write(out),
        finish: () => parts.finish()[0],
      };
    },
  };
  return "ofNone" in aggregate ? { ...state, ofNone: aggregate.ofNone } : state;
}
