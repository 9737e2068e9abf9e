// biome-ignore-all lint/suspicious/noExplicitAny: in a constraint only `any` accepts every format; none reaches a user's variable
// How a job's code hands on what it made: pairs, records of the main output, records of the others.
import type { OutputFormat } from "../format/format.ts";
import type { MainOf, SidesOf } from "./infer.ts";

/**
 * Emits one pair. Key and value are encoded at once, so they may be changed afterwards. The call may spill to disk
 * before it returns, so memory stays bounded.
 * @throws `wrong-value` when the key's or the value's codec refuses it.
 * @throws `user-error` when it is called after its call of `map` has ended.
 * @throws `over-limit` for a key of more than 1 MiB, or a value of more than 64 MiB.
 */
export type Emit<Key, Value> = (key: Key, value: Value) => void;
/**
 * Emits one record of the main output, which is written at once.
 * @throws `bad-output` when the output's format refuses the record.
 */
export type EmitRecord<Out> = (record: Out) => void;
/** Adds `emit.to("rejects", record)` where `output` is an object of formats. */
export type EmitTo<O> =
  O extends OutputFormat<any>
    ? unknown
    : {
        /**
         * Emits one record of another output, by its name.
         * @throws `bad-output` when that output's format refuses the record.
         */
        to<Name extends keyof SidesOf<O>>(output: Name, record: SidesOf<O>[Name]): void;
      };

/** What `map` gets: pairs, or records of the main output where the job is map-only. */
export type MapEmit<O, Key, Value, Reducers> = (Reducers extends 0 ? EmitRecord<MainOf<O>> : Emit<Key, Value>) &
  EmitTo<O>;

/** What `map` gets: pairs, without a value where the aggregate looks at none. */
export type AggregateEmit<O, Key, Value, Reducers> = EmitTo<O> &
  (Reducers extends 0
    ? EmitRecord<MainOf<O>>
    : unknown extends Value
      ? (key: Key, value?: unknown) => void
      : (key: Key, value: Value) => void);
