// Records that a Standard Schema checks: what it makes of them, what it refuses, and what its own code throws.
import { MillraceError } from "../base/error.ts";
import { issuesText, isThenable, validatedOf } from "../base/value/standard-schema.ts";
import type { StandardSchema } from "../job/params/params.ts";
import { BadRecord, UserThrew } from "./format.ts";

/**
 * Thrown for a record whose check returned a promise: the reading of blocks can't wait for it, but the reader of files
 * can.
 */
class Unsettled extends UserThrew {
  readonly vendor: string;

  constructor(promise: PromiseLike<unknown>, vendor: string) {
    super(promise);
    this.vendor = vendor;
  }
}

/**
 * Makes the schema a check of single records. The check throws `UserThrew` when the schema's code throws twice, and
 * `bad-input` for a record that it refuses.
 */
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

/** Ends the job, as the mistake does not depend on the record. */
class NoAnswer extends MillraceError {
  constructor(vendor: string) {
    super(
      "wrong-job",
      `the schema (${vendor}) of ndjson() is not a Standard Schema: its validate returned neither a value nor issues`,
    );
  }
}

/** Asks a second time, as a record at which map throws is mapped a second time. */
function again(standard: StandardSchema["~standard"], parsed: unknown): unknown {
  try {
    return standard.validate(parsed);
  } catch (thrown) {
    throw new UserThrew(thrown);
  }
}

/**
 * Finds out what a refused record was refused for. zod makes a rejected promise of an exception in a transform, so a
 * promise is given a turn of the event loop: if it rejects, it rejects with that exception. Throws `wrong-job`, which
 * ends the job, for a promise that resolves or does not settle, and for something that is no schema at all: the next
 * records would end the same way.
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
