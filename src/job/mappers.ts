// Built-in mappers: plain functions that a kernel may recognise and run by itself, without a JavaScript string per
// record.
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";
import type { Emit, EmitRecord } from "./types.ts";

/** Which built-in mapper a function is, with its options. */
export type MapperKind =
  | { readonly kind: "words"; readonly by: "spaces" | "letters" }
  | { readonly kind: "grep"; readonly pattern: RegExp }
  | { readonly kind: "record-as-key" };

const kinds = new WeakMap<object, MapperKind>();

/** Which built-in mapper this is; undefined for every other function. */
export function mapperKind(map: object): MapperKind | undefined {
  return kinds.get(map);
}

/**
 * A mapper that emits each word of a line with 1. With "spaces", the default, only U+0020 separates words. With
 * "letters" the words are the longest runs of letters of any script (`\p{L}+`).
 * @throws `wrong-job` for anything else.
 * @example map: words("letters"), combine: sum
 */
export function words(by: "spaces" | "letters" = "spaces"): (line: string, emit: Emit<string, number>) => void {
  if (by !== "spaces" && by !== "letters") {
    throw new MillraceError("wrong-job", `words takes "spaces" or "letters", not ${excerptOf(by)}`);
  }
  return by === "spaces" ? betweenSpaces : runsOfLetters;
}

/**
 * A mapper for map-only jobs that emits the lines that the pattern matches anywhere (or, with the flag `y`, at their
 * start).
 * @throws `wrong-job` when the pattern is not a regular expression.
 * @example reducers: 0, map: grep(/ERROR/)
 */
export function grep(pattern: RegExp): (line: string, emit: EmitRecord<string>) => void {
  if (!(pattern instanceof RegExp)) {
    throw new MillraceError("wrong-job", `grep takes a regular expression, not ${excerptOf(pattern)}`);
  }
  // A copy, as the flags g and y make a pattern remember where it stopped in the line before.
  const own = new RegExp(pattern.source, pattern.flags.replace("g", ""));
  const map = (line: string, emit: EmitRecord<string>): void => {
    own.lastIndex = 0;
    if (own.test(line)) emit(line);
  };
  kinds.set(map, { kind: "grep", pattern: own });
  return map;
}

function betweenSpaces(line: string, emit: Emit<string, number>): void {
  for (let from = 0; from < line.length; ) {
    const space = line.indexOf(" ", from);
    const end = space < 0 ? line.length : space;
    if (end > from) emit(line.slice(from, end), 1);
    from = end + 1;
  }
}

function runsOfLetters(line: string, emit: Emit<string, number>): void {
  for (const word of line.match(/\p{L}+/gu) ?? []) emit(word, 1);
}

/**
 * A mapper that emits each record as a key, with null as its value: to sort records, or, with a `reduce` that emits
 * each key once, to make them distinct. Pass it, do not call it.
 * @example map: recordAsKey, reduce: eachKey
 */
export const recordAsKey: <R>(record: R, emit: Emit<R, null>) => void = (record, emit) => emit(record, null);

/** A reducer that emits each key as often as it has values: the records of a sort. Pass it, do not call it. */
export const eachKey: <Key>(key: Key, values: Iterable<unknown>, emit: EmitRecord<Key>) => void = (
  key,
  values,
  emit,
) => {
  for (const _ of values) emit(key);
};

export function isEachKey(reduce: unknown): boolean {
  return reduce === eachKey;
}

kinds.set(recordAsKey, { kind: "record-as-key" });
kinds.set(betweenSpaces, { kind: "words", by: "spaces" });
kinds.set(runsOfLetters, { kind: "words", by: "letters" });
