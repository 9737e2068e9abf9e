// `millrace/testing`: a job over the records of a test, in this process.
import { MillraceError } from "./base/error.ts";
import { excerptOf } from "./base/excerpt.ts";
import { checkOptions, type OptionNames } from "./base/value/known-options.ts";
import { jobDefinition } from "./job/define-job.ts";
import { type JobDefinition, noCounts } from "./job/definition.ts";
import { paramsFromValues } from "./job/params/give.ts";
import { validateParams } from "./job/params/validate.ts";
import type { InlineOptions, InlineResult, InputRecords } from "./job/run-options.ts";
import type { Job, JobTypes } from "./job/types.ts";
import { runInlineJob } from "./task/inline.ts";

export type { InlineOptions, InlineResult, InputRecords } from "./job/run-options.ts";

/**
 * Runs a job in this process on the records given: an array, or an object of arrays where the job names its inputs.
 * Order, codecs and grouping are those of every run; there are no files and no workers, and breakpoints work. It
 * rejects with what the job's own code throws, as it is.
 * @throws `wrong-usage` when records or options are not what the job takes.
 * @throws `wrong-params` when parameters are missing or wrong.
 * @throws `wrong-job` when the first argument is no job.
 * @example
 * const { records } = await runInline(wordCount, ["a b a"]);
 * assert.deepEqual(records, [["a", 2], ["b", 1]]);
 */
export async function runInline<T extends JobTypes>(
  job: Job<T>,
  records: InputRecords<T["input"]>,
  ...[options]: {} extends T["params"] ? [options?: InlineOptions<T>] : [options: InlineOptions<T>]
): Promise<InlineResult<T>> {
  const definition = jobDefinition(job);
  checkOptions("runInline", options, known, "wrong-usage");
  const { outputs, counters } = await runInlineJob(definition, {
    inputs: inputsOf(definition, records),
    partitions: partitionsOf(definition, options?.reducers),
    source: sourceOf(options?.source),
    paramsValue: await validateParams(definition.params, paramsFromValues(options?.params)),
  });
  const named = definition.outputs.map(({ name }, index) => [name, outputs[index]!] as const);
  const others = Object.fromEntries(named.slice(1));
  // Only the compiler knows what the records are, from `defineJob`.
  // Plain objects, which compare equal to literals; `fromEntries` keeps a counter named __proto__ as one.
  return {
    records: outputs[0]!,
    others,
    counters: Object.fromEntries([...Object.entries(noCounts(definition)), ...Object.entries(counters)]),
  } as unknown as InlineResult<T>;
}

const known = { params: true, reducers: true, source: true } satisfies OptionNames<InlineOptions<JobTypes>>;

function inputsOf(job: JobDefinition, records: unknown): readonly (readonly unknown[])[] {
  return job.inputs.map(({ name }) => {
    const given = name === "" ? records : (records as Readonly<Record<string, unknown>> | undefined)?.[name];
    if (Array.isArray(given)) return given;
    const where = name === "" ? "an array of records" : `an object with an array of records for the input ${name}`;
    throw new MillraceError("wrong-usage", `runInline takes the job and ${where}`);
  });
}

function sourceOf(source: unknown = "inline"): string {
  if (typeof source === "string") return source;
  throw new MillraceError("wrong-usage", `source is text, not ${excerptOf(source)}`);
}

function partitionsOf(job: JobDefinition, reducers = 1): number {
  if (job.reducers === 0) return 0;
  if (Number.isSafeInteger(reducers) && reducers > 0) return reducers;
  throw new MillraceError("wrong-usage", `reducers is a whole number from 1, not ${excerptOf(reducers)}`);
}
