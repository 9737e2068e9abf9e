// Jobs and inputs by chance, each as the engine takes it and as the oracle does.
import fc from "fast-check";
import { text } from "../../src/format/lines/text.ts";
import { float64 } from "../../src/job/codecs/numbers.ts";
import { tuple } from "../../src/job/codecs/tuple.ts";
import { utf8 } from "../../src/job/codecs/utf8.ts";
import { max, min, sum } from "../../src/job/combine.ts";
import { defineJob } from "../../src/job/define-job.ts";
import { prefix } from "../../src/job/partition.ts";
import type { OracleJob, OracleKey, OracleValue } from "./oracle.ts";

export interface RandomJob {
  readonly job: unknown;
  readonly expected: OracleJob;
}

type Map = OracleJob["maps"][number];
type Reduce = NonNullable<OracleJob["reduce"]>;

const keys = ["text", "number", "pair"] as const;
const values = ["number", "text"] as const;
/** Not commutative ones among them: the order of values must be that of the input. */
const numberFolds = { none: undefined, sum, min, max, first: (a: number) => a, last: (_: number, b: number) => b };
const textFolds = {
  none: undefined,
  longest: (a: string, b: string) => (b.length > a.length ? b : a),
  join: (a: string, b: string) => a + b,
};
const reduces: Readonly<Record<string, Reduce | undefined>> = {
  none: undefined,
  all: (key, all, emit) =>
    emit([
      String(key),
      [...all]
        .map((value: OracleValue) => `${value}`)
        .join("|")
        .slice(0, 500),
    ]),
  count: (key, all, emit) => emit([String(key), [...all].length]),
  // Reads one value, and leaves the loop, or none at all.
  first: (key, all, emit) => {
    for (const value of all) {
      emit([String(key), value]);
      break;
    }
  },
  unread: (key, _all, emit) => emit([String(key), 0]),
  several: (key, all, emit) => {
    for (const value of all) emit([String(key), value]);
  },
};

export const randomJob: fc.Arbitrary<RandomJob> = fc
  .record({
    key: fc.constantFrom(...keys),
    value: fc.constantFrom(...values),
    numberFold: fc.constantFrom(...(Object.keys(numberFolds) as (keyof typeof numberFolds)[])),
    textFold: fc.constantFrom(...(Object.keys(textFolds) as (keyof typeof textFolds)[])),
    reduce: fc.constantFrom(...Object.keys(reduces)),
    partitions: fc.integer({ min: 1, max: 7 }),
    chooses: fc.boolean(),
    grouped: fc.boolean(),
    inputs: fc.integer({ min: 1, max: 2 }),
    promises: fc.constantFrom("never", "always", "sometimes"),
  })
  .map((drawn) => {
    const grouped = drawn.key === "pair" && drawn.grouped;
    const combine = drawn.value === "number" ? numberFolds[drawn.numberFold] : textFolds[drawn.textFold];
    // A pair is no cell, so it can't be written as it is.
    const reduce = reduces[drawn.key === "pair" && drawn.reduce === "none" ? "all" : drawn.reduce];
    const choose = drawn.chooses
      ? (key: OracleKey, partitions: number) => sizeOf(key, grouped) % partitions
      : undefined;
    const maps = Array.from({ length: drawn.inputs }, (_, input) => mapOf(drawn.key, drawn.value, input));
    const named = maps.map((map, input) => [`input${input}`, map] as const);
    const expected: OracleJob = {
      maps,
      partitions: drawn.partitions,
      choose,
      grouped,
      combine: combine as OracleJob["combine"],
      reduce: reduce && ((key, all, emit) => reduce(key, all, emit)),
    };
    const job = defineJob({
      name: "random",
      input: named.length === 1 ? text() : Object.fromEntries(named.map(([name]) => [name, text()])),
      map:
        named.length === 1
          ? withPromises(maps[0]!, drawn.promises)
          : Object.fromEntries(named.map(([name, map]) => [name, withPromises(map, drawn.promises)])),
      concurrency: 3,
      key: drawn.key === "text" ? utf8 : drawn.key === "number" ? float64 : tuple(utf8, float64),
      value: drawn.value === "number" ? float64 : utf8,
      combine,
      ...(grouped && { group: prefix(1) }),
      ...(choose && { partition: choose }),
      ...(reduce && {
        reduce: (key: OracleKey, all: Iterable<never>, emit: never) =>
          reduce(grouped ? (key as readonly [string, number])[0] : key, all, emit),
      }),
    } as never);
    const seen = JSON.stringify(drawn);
    return { job, expected, toString: () => seen, [fc.toStringMethod]: () => seen };
  });

/** What a partition function sees: with `group` the first part alone. */
function sizeOf(key: OracleKey, grouped: boolean): number {
  const first = typeof key === "object" ? key[0] : key;
  if (typeof first === "number") return Math.abs(Math.trunc(first)) % 1000;
  return grouped || typeof key !== "object" ? first.length : first.length + (Math.abs(Math.trunc(key[1])) % 1000);
}

function mapOf(key: (typeof keys)[number], value: (typeof values)[number], input: number): Map {
  return (line, emit) => {
    for (const [index, word] of line.split(" ").entries()) {
      if (word === "skip") continue;
      const number = word.length === 0 ? -0 : word.charCodeAt(0) - 100.5 * (index % 3) + input;
      const emitted = value === "number" ? Math.trunc(number) : `${word.slice(0, 20).toWellFormed()}${index}`;
      emit(key === "text" ? word : key === "number" ? number : [word, number], emitted);
    }
  };
}

/** The same map, whose promises resolve in another order than they are made in. */
function withPromises(
  map: Map,
  promises: "never" | "always" | "sometimes",
): (line: string, emit: Parameters<Map>[1]) => unknown {
  if (promises === "never") return map;
  return (line, emit) => {
    if (promises === "sometimes" && line.length % 3 !== 0) return map(line, emit);
    return (async () => {
      for (let wait = line.length % 5; wait > 0; wait--) await Promise.resolve();
      map(line, emit);
    })();
  };
}

/** Words that have broken systems before: faults 71, 78, 81, 83, 84. */
const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "b", "ab", "the", "skip", "") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("__proto__", "constructor", "10", "9", "\0", "\0\0", "\0\xff", "a\0", "\t", "\\", "\r"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("\uff5e", "\u{1f600}", "é", "e\u0301", "ß", "\ufffd", "\u{10ffff}", "привет"),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replace(/[\n\ufeff]/g, "")),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("x", "é", "漢", "\u{1f600}"), fc.constantFrom(42, 43, 64, 127, 128, 300, 5000))
      .map(([c, n]) => c.repeat(n)),
  },
);

/** Lines with LF or CR LF, the last one perhaps without. */
const file = fc
  .array(fc.tuple(fc.array(word, { maxLength: 8 }), fc.constantFrom("\n", "\n", "\r\n")), { maxLength: 12 })
  .chain((lines) =>
    fc
      .constantFrom(lines.map(([words, end]) => words.join(" ") + end).join(""))
      .chain((all) => fc.constantFrom(all, all.replace(/\r?\n$/, ""))),
  )
  .map((all) => {
    const shown = JSON.stringify(all.length > 300 ? `${all.slice(0, 300)}…` : all);
    return Object.assign(Buffer.from(all.toWellFormed()), { [fc.toStringMethod]: () => shown });
  });

export const randomFiles: fc.Arbitrary<readonly (readonly Buffer[])[]> = fc.array(
  fc.array(file, { minLength: 1, maxLength: 3 }),
  {
    minLength: 2,
    maxLength: 2,
  },
);
