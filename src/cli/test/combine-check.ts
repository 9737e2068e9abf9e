// Checks that combine is associative and does not change its arguments, on values of one key as map emits them, in
// their order, and on combinations of them: combine(combine(a, b), c) against combine(a, combine(b, c)).

import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { formatCounted } from "../../base/units.ts";
import { differsInLastDigits } from "../../base/value/same-value.ts";
import { resultOfState } from "../../job/aggregate/lower.ts";
import type { Codec } from "../../job/codec.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { describeThrown } from "../../job/thrown.ts";
import type { MappedRecord } from "../../task/map/record-mapper.ts";
import { type Check, failed, ok, skipped } from "./check.ts";

const associative = "combine is associative";
const innocent = "combine leaves its arguments as they are";

/** Triples tried in all, and per key, so that a key with very many values is not the only one that is tried. */
const triplesMax = 20_000;
const valuesPerKeyMax = 64;

interface KeyValues {
  readonly key: Uint8Array;
  readonly values: Uint8Array[];
}

export function checkCombine(job: JobDefinition, mapped: Iterable<MappedRecord>): Check[] {
  if (job.combine === undefined) return [skipped(associative, "the job has no combine")];
  const keys = [...valuesByKey(mapped)].filter(({ values }) => values.length > 2);
  if (keys.length === 0) return [skipped(associative, "no key has three values in the sample")];
  const trial = new CombineTrial(job, job.combine.call);
  for (const { key, values } of keys) {
    if (trial.triples >= triplesMax || !trial.tryKey(key, values)) break;
  }
  return trial.results();
}

function valuesByKey(mapped: Iterable<MappedRecord>): Iterable<KeyValues> {
  const keys = new Map<string, KeyValues>();
  for (const { pairs, outcome } of mapped) {
    if (outcome.kind === "threw") continue;
    for (const { key, value } of pairs) {
      const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
      const known = keys.get(name);
      if (known === undefined) keys.set(name, { key, values: [value] });
      else if (known.values.length < valuesPerKeyMax) known.values.push(value);
    }
  }
  return keys.values();
}

class CombineTrial {
  triples = 0;
  readonly #job: JobDefinition;
  readonly #codec: Codec<unknown>;
  readonly #call: (a: unknown, b: unknown) => unknown;
  #notAssociative: Check | undefined;
  #changes: Check | undefined;

  constructor(job: JobDefinition, call: (a: unknown, b: unknown) => unknown) {
    this.#job = job;
    this.#codec = job.value;
    this.#call = call;
  }

  /** Tries triples of one key's values. Returns false once something is wrong: no more need to be tried. */
  tryKey(key: Uint8Array, values: readonly Uint8Array[]): boolean {
    try {
      let folded = values[0]!;
      for (let i = 1; i + 1 < values.length; i++) {
        this.triples++;
        if (!this.#tryTriple(key, folded, values[i]!, values[i + 1]!)) return false;
        folded = this.#combined(folded, values[i]!);
      }
      return true;
    } catch (thrown) {
      this.#notAssociative = failed(associative, `it throws for values of the key ${this.#keyText(key)}`, [
        describeThrown(thrown).message,
        ...(describeThrown(thrown).stack?.split("\n") ?? []),
      ]);
      return false;
    }
  }

  results(): Check[] {
    return [
      this.#notAssociative ?? ok(associative, `${formatCounted(this.triples, "triple")} of values`),
      this.#changes ?? ok(innocent),
    ];
  }

  #tryTriple(key: Uint8Array, a: Uint8Array, b: Uint8Array, c: Uint8Array): boolean {
    const left = this.#combined(this.#combined(a, b), c);
    const right = this.#combined(a, this.#combined(b, c));
    if (Buffer.compare(left, right) === 0) return true;
    this.#notAssociative = this.#failure(key, [a, b, c], left, right);
    return false;
  }

  /** Combines encoded values, as happens between map and reduce, and notes when an argument was changed. */
  #combined(a: Uint8Array, b: Uint8Array): Uint8Array {
    const left = this.#codec.read(new Uint8Array(a));
    const right = this.#codec.read(new Uint8Array(b));
    const encoded = this.#encoded(this.#call(left, right));
    this.#checkUnchanged("first", a, left);
    this.#checkUnchanged("second", b, right);
    return encoded;
  }

  #checkUnchanged(which: string, before: Uint8Array, argument: unknown): void {
    if (this.#changes !== undefined) return;
    let after: Uint8Array | undefined;
    try {
      after = this.#encoded(argument);
    } catch {
      // it has become something that the codec refuses
    }
    if (after !== undefined && Buffer.compare(before, after) === 0) return;
    this.#changes = failed(innocent, `it changes its ${which} argument`, [
      `before  ${excerptOf(resultOfState(this.#codec.read(new Uint8Array(before))))}`,
      `after   ${excerptOf(resultOfState(argument))}`,
      "Make a new value instead: what is handed to combine may be used again.",
    ]);
  }

  #failure(key: Uint8Array, triple: readonly Uint8Array[], left: Uint8Array, right: Uint8Array): Check {
    const read = (bytes: Uint8Array): unknown => resultOfState(this.#codec.read(new Uint8Array(bytes)));
    const [a, b, c] = triple.map((bytes) => excerptOf(read(bytes)));
    const details = [
      `a = ${a}, b = ${b}, c = ${c}, of the key ${this.#keyText(key)}`,
      `combine(combine(a, b), c) = ${excerptOf(read(left))}`,
      `combine(a, combine(b, c)) = ${excerptOf(read(right))}`,
    ];
    if (differsInLastDigits(read(left), read(right))) {
      return failed(associative, "except for the last digits of fractions", [
        ...details,
        "Adding fractions in another order gives other last digits, and so may another split or memory budget: add whole numbers (cents, thousandths), or round what reduce writes.",
      ]);
    }
    return failed(associative, "it is not", [
      ...details,
      this.#job.aggregate === undefined
        ? "Values are combined early, late, in groups of any size or not at all, so the grouping must not matter. An average is not associative: combine sums and counts, and divide in reduce."
        : "combine is the merge of the job's aggregate here. States are merged early, late, in groups of any size or not at all, so the grouping must not matter: keep sums and counts, and divide in finish.",
    ]);
  }

  #keyText(key: Uint8Array): string {
    return excerptOf(this.#job.key.read(new Uint8Array(key)));
  }

  #encoded(value: unknown): Uint8Array {
    const out = new ByteBuffer(64);
    this.#codec.write(value, out);
    return out.copy();
  }
}
