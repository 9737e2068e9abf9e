// Turns the command line's options into the options of a submission.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobEngine, SubmitOptions } from "../../engine/engine.ts";
import { type RunFlags, submitValues, valuesOfFlags } from "../../engine/run/option-values.ts";
import { spoolName, spoolStdin } from "../../input/spool.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { paramsFromText } from "../../job/params/give.ts";

export async function submitOptionsOf(
  engine: JobEngine,
  inputs: readonly string[],
  flags: RunFlags,
  signal: AbortSignal,
): Promise<SubmitOptions> {
  const named = namedInputs(engine.description, inputs, flags.input);
  const standardInput = await spooledInput(named, () => engine.spoolDirectory(), signal);
  return {
    ...submitFlags(engine.description, flags),
    inputs: named,
    ...(standardInput !== undefined && { standardInput }),
  };
}

/** All options of a submission except the inputs. */
export function submitFlags(
  description: JobDescription,
  flags: Omit<RunFlags, "json" | "quiet" | "noProgress" | "resume" | "resumeOrBegin" | "overwrite">,
): Omit<SubmitOptions, "inputs"> {
  return { params: paramsFromText(description.params, flags.param), ...submitValues(valuesOfFlags(flags)) };
}

/** Inputs by name: plain arguments are files of a job's only input, `--input` gives the files of named ones. */
export function namedInputs(
  description: JobDescription,
  inputs: readonly string[],
  byName: ReadonlyMap<string, readonly string[]>,
): SubmitOptions["inputs"] {
  const names = description.inputs.map(({ name }) => name);
  if (names[0] === "" && byName.size > 0) {
    throw new MillraceError("wrong-usage", `the job ${description.name} has one input: give its files without --input`);
  }
  if (names[0] !== "" && inputs.length > 0) {
    throw new MillraceError(
      "wrong-usage",
      `the job ${description.name} has the inputs ${names.join(", ")}: give --input ${names[0]}=${inputs[0]} instead of ${inputs[0]}`,
    );
  }
  const given = [...byName].map(([name, paths]) => ({ name, paths }));
  return inputs.length > 0 ? [{ name: "", paths: inputs }, ...given] : given;
}

/** Writes standard input to a file where an argument is `-`, and returns its path; undefined where none is. */
export async function spooledInput(
  inputs: SubmitOptions["inputs"],
  directory: () => Promise<string>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const times = inputs.flatMap(({ paths }) => paths).filter((path) => path === "-").length;
  if (times > 1) throw new MillraceError("wrong-usage", "standard input (-) can be read once");
  if (times === 0) return undefined;
  const file = join(await directory(), spoolName);
  // A run is being resumed, which had read its standard input to the end before it submitted its job.
  if (existsSync(file)) return file;
  await spoolStdin(process.stdin, file, signal);
  return file;
}
