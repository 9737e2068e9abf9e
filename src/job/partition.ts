import { MillraceError } from "../base/error.ts";

/**
 * Which partition a key goes to: `byHash()`, `byRange()`, or a function of the key that returns a whole number from 0
 * to `partitions - 1`, the same for equal keys.
 */
export type Partition<Key> = Partitioner | ((key: Key, partitions: number) => number);

/** A built-in way to partition, made by `byHash()` and `byRange()`. */
export interface Partitioner {
  /** "hash": by a hash of the key's bytes; "range": by ranges of keys, found by sampling. */
  readonly by: "hash" | "range";
}

/** Which leading parts of a key partition and group, made by `prefix(n)` or `prefix("name")`. */
export interface Prefix<N> {
  /** The number of leading parts of a tuple, from 1; or of a key with names, how many names there are. */
  readonly parts: N;
  /** The leading names of a key of `fields`. Left out: the key is a tuple. */
  readonly names?: readonly string[];
}

const hash: Partitioner = Object.freeze({ by: "hash" });
const range: Partitioner = Object.freeze({ by: "range" });

/**
 * Partitions by a hash of the key's bytes (XXH64, seed 0): the same on every machine and in every version. The default.
 */
export function byHash(): Partitioner {
  return hash;
}

/**
 * Partitions by ranges of keys, found by sampling the input: the part files, one after the other, are in order.
 * @example partition: byRange()
 */
export function byRange(): Partitioner {
  return range;
}

/**
 * Groups by the first `parts` parts of a tuple key: secondary sort. Pairs are sorted by all parts, and partitioned and
 * grouped by the first ones.
 * @throws `wrong-job` unless `parts` is a whole number from 1.
 * @example
 * key: tuple(utf8, desc(date)),
 * group: prefix(1),
 */
export function prefix<const N extends number>(parts: N): Prefix<N>;
/**
 * Groups by the first names of a key of `fields`, which must be leading: secondary sort.
 * @throws `wrong-job` unless each is a name.
 * @example
 * key: fields({ user: utf8, at: desc(date) }),
 * group: prefix("user"),
 */
export function prefix<const N extends string>(...names: readonly N[]): Prefix<N>;
export function prefix(...given: readonly unknown[]): Prefix<never> {
  const [parts] = given;
  if (given.length > 0 && given.every((name) => typeof name === "string" && name !== "")) {
    return Object.freeze({ parts: given.length as never, names: Object.freeze(given as readonly string[]) });
  }
  if (given.length !== 1 || !Number.isSafeInteger(parts) || (parts as number) < 1) {
    throw new MillraceError(
      "wrong-job",
      `prefix takes the number of leading key parts, a whole number from 1, or their names, not ${given.map(String).join(", ")}`,
    );
  }
  return Object.freeze({ parts: parts as never });
}
