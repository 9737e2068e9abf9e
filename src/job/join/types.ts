// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format; none reaches a
// user's variable The types of a join: what `defineJoin` takes, and which rows follow from its inputs and from `how`.
import type { InputFormat } from "../../format/format.ts";
import type { Aggregate } from "../aggregate/aggregate.ts";
import type { IsNamed } from "../aggregate/infer.ts";
import type { KeyCodec } from "../codec.ts";
import type { EmitRecord, EmitTo } from "../emit.ts";
import type { MainOf, ReadBy } from "../infer.ts";
import type { ParamsRead } from "../params/params.ts";
import type { TaskContext } from "../types.ts";

/** Which rows a join has; `defineJoin` says what each means. */
export type How = "inner" | "left" | "right" | "outer" | "semi" | "anti";
/** One side of a join: its input's name and format. */
export type JoinSide = { readonly [name: string]: InputFormat<any> };

/**
 * The records of both sides by the names of their inputs; null where a side has none and `how` keeps the other. With
 * "semi" and "anti" the left one alone.
 */
export type JoinRow<L, R, H> = H extends "semi" | "anti"
  ? { readonly [N in keyof L]: ReadBy<L[N]> }
  : {
      readonly [N in keyof L | keyof R]: N extends keyof L
        ? ReadBy<L[N]> | (H extends "right" | "outer" ? null : never)
        : ReadBy<R[N & keyof R]> | (H extends "left" | "outer" ? null : never);
    };

/**
 * How a record's key is found: the name of a field that has the key's type; for a tuple an array of names, for a key
 * with names an object of them; or a function.
 */
export type KeyFrom<In, Key> =
  | ([Key] extends [readonly unknown[]]
      ? { readonly [P in keyof Key]: FieldOf<In, Key[P]> }
      : IsNamed<Key> extends true
        ? { readonly [N in keyof Key]: FieldOf<In, Key[N]> }
        : FieldOf<In, Key>)
  | ((record: In) => NoInfer<Key>);
type FieldOf<In, T> = In extends readonly unknown[]
  ? never
  : { [N in keyof In]-?: In[N] extends T ? N : never }[keyof In] & string;

/** The properties of a join, as `defineJoin` takes them. */
export interface JoinOptions<L, R, Key, H, In, Out, O, P, Returned> {
  /** As a job's: lower-case words joined by hyphens, at most 100 characters. */
  readonly name: string;
  /**
   * One input by name. One key's records of it are kept while those of the right side are read: in memory, and on disk
   * where they are many. What has few records per key belongs here.
   * @example left: { users: csv({ header: true, columns: { id: utf8, name: utf8 } }) }
   */
  readonly left: L & OneName<L>;
  /** The other input by name. Its records are streamed, however many one key has. */
  readonly right: R & OneName<R> & ([keyof L & keyof R] extends [never] ? unknown : SameName<keyof L & keyof R>);
  /**
   * How keys are encoded, and what is equal. With `nullable(…)` a key may be null, in whole or in a part; as in SQL it
   * then equals no other.
   */
  readonly key: KeyCodec<Key>;
  /**
   * Where the key is in each input's records: a field's name, for a tuple key an array of names, or a function.
   * @example on: { users: "id", orders: (order) => order.user.toLowerCase() }
   */
  readonly on: { readonly [N in keyof L | keyof R]: KeyFrom<ReadBy<(L & R)[N]>, Key> };
  /**
   * Which rows there are. "inner": each pair of records with equal keys. "left", "right", "outer": these, and records
   * of the left side, the right side or both that have no equal, with null for the other. "semi", "anti": records of
   * the left side that have an equal on the right, or that have none.
   */
  readonly how: H;
  /** Typed parameters, as those of a job. Default: the join has none. */
  readonly params?: P;
  /**
   * Called once per row: emits what is written, as often as it likes. For each record of the right side in input order,
   * the left ones come in input order. Left out: `reduce` is called instead.
   */
  readonly map?: (
    row: JoinRow<L, R, H>,
    emit: [Out] extends [never]
      ? EmitRecord<MainOf<O>> & EmitTo<O>
      : unknown extends In
        ? (value?: unknown) => void
        : (value: In) => void,
    ctx: JoinContext<ParamsRead<P>, Key>,
  ) => void;
  /**
   * Folds what `map` emits, per key; a key of which nothing was emitted has no result. Without `reduce` key and result
   * are written, as by a job. Default: what `map` emits is written.
   * @example aggregate: stats({ name: first("name", utf8), cents: sum("cents") })
   */
  readonly aggregate?: Aggregate<In, Out>;
  /**
   * Called once per key that has rows, with all of them, which can be read once; with `aggregate`, beside `map`, with
   * its result. Left out: `map` says what is written.
   */
  readonly reduce?: (
    key: Key,
    rows: [Out] extends [never] ? Iterable<JoinRow<L, R, H>> : Out,
    emit: EmitRecord<MainOf<O>> & EmitTo<O>,
    ctx: JoinContext<ParamsRead<P>, Key>,
  ) => Returned;
  /** How many partitions there are, one part file each, as for a job. Default: by the size of the inputs. */
  readonly reducers?: number;
  /** How output files are written: one format, or an object of `main` and others by name. Default `tsv()`. */
  readonly output?: O;
  /** Compresses output files, as for a job. Default: they are not compressed. */
  readonly compress?: "gzip" | "zstd";
}

/** The `ctx` of a join's `map` and `reduce`. */
export interface JoinContext<P, Key> extends TaskContext<P, never> {
  /** The key of the row. */
  readonly key: Key;
}

type OneName<S> = [keyof S] extends [Both<keyof S>] ? unknown : OneInputPerSide;
type Both<U> = (U extends unknown ? (x: U) => void : never) extends (x: infer All) => void ? All : never;

declare const says: unique symbol;
/** Shown in a compile error: a side of a join is one input by name, `left: { users: csv(…) }`. */
export interface OneInputPerSide {
  readonly [says]: never;
}
/** Shown in a compile error: both sides of the join have this name. */
export interface SameName<Name> {
  readonly [says]: Name;
}
