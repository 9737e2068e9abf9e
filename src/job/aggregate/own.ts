// `defineAggregate`: state, merge and result are the job's own.
import { excerptOf } from "../../base/excerpt.ts";
import { checkOptions, type OptionNames } from "../../base/value/known-options.ts";
import { isObject, optional, userFunction, wrong } from "../check.ts";
import type { Codec } from "../codec.ts";
import { type Aggregate, aggregateOf } from "./aggregate.ts";
import { codecGiven } from "./codec-given.ts";

/** What `defineAggregate` takes. */
export interface AggregateOptions<In, State, Out> {
  /** How the state is encoded: equal states as equal bytes. */
  readonly state: Codec<State>;
  /** The state of one value. Called once per value, while it is emitted. */
  readonly lift: (value: In) => State;
  /**
   * Two states as one; `earlier` comes first in input order. It must be associative (`millrace test` tries), and leave
   * both as they are.
   */
  readonly merge: (earlier: NoInfer<State>, later: NoInfer<State>) => NoInfer<State>;
  /** The result, of the last state of a key. Default: the state itself. */
  readonly finish?: (state: NoInfer<State>) => Out;
}

/**
 * An aggregate of your own.
 * @throws `wrong-job` for what the types could not refuse.
 * @example
 * const longest = defineAggregate({
 *   state: utf8,
 *   lift: (line: string) => line,
 *   merge: (a, b) => (b.length > a.length ? b : a),
 * });
 */
export function defineAggregate<In, State, Out = State>(options: AggregateOptions<In, State, Out>): Aggregate<In, Out> {
  if (!isObject(options)) throw wrong(`defineAggregate takes state, lift and merge, not ${excerptOf(options)}`);
  checkOptions("defineAggregate", options, known);
  const codec = codecGiven("defineAggregate: state", options["state"]);
  const lift = userFunction("defineAggregate: lift", options["lift"], "sync");
  const merge = userFunction("defineAggregate: merge", options["merge"], "sync");
  const finish = optional(options, "finish", (value) => userFunction("defineAggregate: finish", value, "sync"));
  const name = "defineAggregate({ … })";
  return aggregateOf({
    kind: "state",
    name,
    reads: { kind: "unknown" },
    lift: (value, out) => codec.write(settled("lift", lift(value)), out),
    begin() {
      let state: unknown;
      let isEmpty = true;
      return {
        add(bytes, start, end) {
          // What the codec reads may be kept, and the bytes are valid only now.
          const next = codec.read(new Uint8Array(bytes.subarray(start, end)));
          state = isEmpty ? next : settled("merge", merge(state, next));
          isEmpty = false;
        },
        write: (out) => codec.write(state, out),
        finish: () => (finish === undefined ? state : settled("finish", finish(state))),
      };
    },
  });
}

const known = { state: true, lift: true, merge: true, finish: true } satisfies OptionNames<
  AggregateOptions<never, never, never>
>;

/** No one would wait for a promise. */
function settled(what: string, result: unknown): unknown {
  if (!(result instanceof Promise)) return result;
  result.catch(() => {});
  throw wrong(`defineAggregate: ${what} returned a promise, and its result is needed at once`);
}
