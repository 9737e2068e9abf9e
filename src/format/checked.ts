// Records that a Standard Schema checks: what it makes of them, what it refuses, and what its own code throws.
import { MillraceError } from "../base/error.ts";
import { issuesText, isThenable, validatedOf } from "../base/value/standard-schema.ts";
import type { StandardSchema } from "../job/params/params.ts";
import { BadRecord, UserThrew } from "./format.ts";

/** Thrown in place of a record whose check gave a promise: reading blocks can't wait for it, who reads files can. */
class Unsettled extends UserThrew {
  readonly vendor: string;

  constructor(promise: PromiseLike<unknown>, vendor: string) {
    super(promise);
    this.vendor = vendor;
  }
}

/** The schema as a check of single records. Throws `UserThrew` for what its code throws, twice; `bad-input` for what it refuses. */
export function checkedBy(schema: StandardSchema): (value: unknown) => unknown {
  const standard = schema["~standard"];
  return (parsed) => {
    let result: unknown;
    try {
      result = standard.validate(parsed);
    } catch {
      result = again(standard, parsed);
    }
    if (isThenable(result)) throw new Unsettled(result, standard.vendor);
    if (typeof result !== "object" || result === null) throw new UserThrew(new NoAnswer(standard.vendor));
    const { value, issues } = validatedOf(result);
    if (issues === undefined) return value;
    throw new MillraceError(
      "bad-input",
      `the record does not match its schema (${standard.vendor}): ${issuesText(issues, 3)}`,
    );
  };
}

/** Ends the job, as it does not depend on the record. */
class NoAnswer extends MillraceError {
  constructor(vendor: string) {
    super("wrong-job", `the schema (${vendor}) of ndjson() is none: its validate returned neither a value nor issues`);
  }
}

/** As a record that map throws at is mapped once more. */
function again(standard: StandardSchema["~standard"], parsed: unknown): unknown {
  try {
    return standard.validate(parsed);
  } catch (thrown) {
    throw new UserThrew(thrown);
  }
}

/**
 * What a record that was refused was refused for. zod makes a rejected promise of an exception in a transform, so a promise is
 * given a turn of the event loop: what it rejects with then is that exception. Throws `wrong-job`, which ends the job, for one
 * that resolves, or has not settled, and for what is no schema at all: with the next records it would be the same.
 */
export async function settled(bad: BadRecord): Promise<BadRecord> {
  const { by } = bad;
  if (by?.thrown instanceof NoAnswer) throw by.thrown;
  if (!(by instanceof Unsettled)) return bad;
  const rejected = Promise.resolve(by.thrown as PromiseLike<unknown>).then(
    () => undefined,
    (thrown: unknown) => new UserThrew(thrown),
  );
  const turn = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
  const outcome = await Promise.race([rejected, turn]);
  if (outcome !== undefined) return new BadRecord(outcome.message, bad.start, bad.end, bad.bytes, bad.lines, outcome);
  throw new MillraceError(
    "wrong-job",
    `the schema (${by.vendor}) of ndjson() validates asynchronously, and asynchronous schemas can't be used for records. Leave out what waits, and do that in map, which may be async`,
  );
}
