// biome-ignore-all lint/suspicious/noExplicitAny: `Key` and `Value` stand for what `auto` takes as long as no codec says more
import { MillraceError } from "../base/error.ts";
import { messageOf } from "../base/value/message.ts";
import { version } from "../base/version.ts";
import type { OutputFormat } from "../format/format.ts";
import type { CounterName, Grouped, Leading, Written } from "./aggregate/infer.ts";
import type { JobDefinition } from "./definition.ts";
import type {
  Given,
  KeyOf,
  MainOf,
  Needed,
  NoReduce,
  NoSetupAbove,
  RecordsOf,
  RereadOf,
  SidesOf,
  ValueOf,
} from "./infer.ts";
import type { Params, ParamsGiven } from "./params/params.ts";
import { parseJob } from "./parse/job.ts";
import type { CellWriter, Row } from "./table.ts";
import { isOurs } from "./thrown.ts";
import type { Inputs, Job, JobOptions, Outputs } from "./types.ts";

type JobProperty = keyof JobOptions<
  Inputs,
  Outputs,
  unknown,
  unknown,
  unknown,
  {},
  never,
  unknown,
  never,
  number,
  void,
  string
>;

/**
 * Defines a job. Everything is inferred from the properties: `map`'s record from `input`, `emit` from `key` and `value`
 * (or from an annotated `emit: Emit<string, number>`), `reduce`'s emit from `output`, `ctx.params` from `params`,
 * `ctx.state` from `setup`. Properties may stand in any order, except that `setup` stands above the functions that use
 * `ctx.state`.
 *
 * The job must be the default export of a module of its own, because that module is what is bundled and shipped.
 * @throws `wrong-job` for what the types could not refuse.
 * @example
 * export default defineJob({
 *   name: "word-count",
 *   input: text(),
 *   key: utf8,
 *   value: uint,
 *   map: words("letters"),
 *   combine: sum,
 * });
 */
export function defineJob<
  I extends Inputs,
  O extends Outputs = OutputFormat<Row> & CellWriter,
  Key = any,
  Value = any,
  Out = never,
  P extends Params = {},
  File extends string = never,
  State = NoSetupAbove,
  Parts extends Leading<Key> = never,
  Reducers extends number = number,
  Returned extends void | Promise<void> | NoReduce = void | Promise<void> | NoReduce,
  Counter extends string = string,
  Names extends JobProperty = never,
>(
  job: JobOptions<I, O, Key, Value, Out, P, File, State, Parts, Reducers, Returned, Counter> &
    Given<Names> &
    Needed<O, Key, Value, Out, Parts, Reducers, Names>,
): Job<{
  input: RecordsOf<I>;
  params: ParamsGiven<P>;
  record: Reducers extends 0
    ? MainOf<O>
    : NoReduce extends Returned
      ? [Out] extends [never]
        ? [key: KeyOf<Key>, value: ValueOf<Value>]
        : Written<Grouped<KeyOf<Key>, Parts>, Out>
      : MainOf<O>;
  others: SidesOf<O>;
  reread: RereadOf<O>;
  counter: CounterName<Counter>;
}> {
  // Only the compiler knows the type parameter.
  return defined(job, parseJob, defineJob) as unknown as ReturnType<
    typeof defineJob<I, O, Key, Value, Out, P, File, State, Parts, Reducers, Returned, Counter, Names>
  >;
}

/** What `callee`, which the user called with `job`, returns: the engine finds the definition by it. */
export function defined(
  job: unknown,
  parse: (job: unknown, module: string | undefined) => JobDefinition,
  callee: Function,
): object {
  const definition = parsed(job, parse, callee);
  const result = { name: definition.name };
  Object.defineProperty(result, mark, { value: version });
  definitions.set(result, definition);
  return Object.freeze(result);
}

/** Makes an error point at the user's call, not into this package. */
function parsed(job: unknown, parse: Parameters<typeof defined>[1], callee: Function): JobDefinition {
  try {
    return parse(job, callerOf(callee));
  } catch (error) {
    if (isOurs(error)) Error.captureStackTrace(error, callee);
    throw error;
  }
}

/** The definitions of jobs, which only the engine may see. */
const definitions = new WeakMap<object, JobDefinition>();
/** Set on every job by whichever copy of this package made it, to tell "no job" from "a job of another copy". */
const mark = Symbol.for("millrace.job");

/**
 * The job's definition. Throws `wrong-job` for anything that is no job, and for a job of another copy of this package;
 * `what` names it in the error.
 */
export function jobDefinition(job: unknown, what = "the job"): JobDefinition {
  const isObject = typeof job === "object" && job !== null;
  const definition = isObject ? definitions.get(job) : undefined;
  if (definition !== undefined) return definition;
  if (isObject && mark in job) {
    throw new MillraceError(
      "wrong-job",
      `${what} was defined by another copy of millrace (version ${messageOf(job[mark])}) than the one that runs it (version ${version}): install only one`,
    );
  }
  const made = isObject && "left" in job && "right" in job ? "defineJoin" : "defineJob";
  const forgotten = isObject && ("map" in job || made === "defineJoin");
  throw new MillraceError(
    "wrong-job",
    `${what} is not a job made by ${made}${forgotten ? `, but what ${made} takes: wrap it in ${made}(…)` : ""}`,
  );
}

/** The file (URL or path) of the code that called `callee`, as far as the stack tells. */
function callerOf(callee: Function): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 1;
    Error.prepareStackTrace = (_, frames) => frames[0]?.getFileName() ?? undefined;
    const holder: { stack?: string | undefined } = {};
    Error.captureStackTrace(holder, callee);
    return holder.stack;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}
