// Turns the command line's options into the options of a submission.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobEngine, SubmitOptions } from "../../engine/engine.ts";
import { type FromFile, type RunFlags, submitValues, valuesOfFlags } from "../../engine/run/option-values.ts";
import { isReadOnce, isStandardInput, openFifo, spoolName, spoolStream, standardInputNow } from "../../input/spool.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { paramsFromText } from "../../job/params/give.ts";

export async function submitOptionsOf(
  engine: JobEngine,
  inputs: readonly string[],
  flags: RunFlags,
  signal: AbortSignal,
): Promise<SubmitOptions> {
  const named = namedInputs(engine.description, inputs, flags.input);
  if (named.every(({ paths }) => paths.length === 0)) refuseNoInput(engine.description);
  const spooled = await spoolInputs(named, () => engine.spoolDirectory(), signal);
  return {
    ...submitFlags(engine.description, flags),
    inputs: named,
    ...spooled,
  };
}

/** All options of a submission except the inputs. */
export function submitFlags(
  description: JobDescription,
  flags: Omit<RunFlags, "json" | "quiet" | "noProgress" | "resume" | "resumeOrBegin" | "overwrite">,
): Omit<SubmitOptions, "inputs"> {
  const fitting = fittingFlags(description, flags);
  return { params: paramsFromText(description.params, flags.param), ...submitValues(valuesOfFlags(fitting)) };
}

/**
 * Without what a file of settings has for other jobs: partitions for one that is map-only, or none for one that is not.
 * What was typed stays, and is refused.
 */
export function fittingFlags<F extends FromFile & Pick<RunFlags, "reducers">>(
  description: Pick<JobDescription, "reducers">,
  flags: F,
): F {
  return isUnfit(description, flags) ? { ...flags, reducers: undefined } : flags;
}

export function isUnfit(
  description: Pick<JobDescription, "reducers">,
  { reducers, fromFile }: FromFile & Pick<RunFlags, "reducers">,
): boolean {
  const isMapOnly = description.reducers === 0;
  return fromFile?.has("reducers") === true && reducers !== undefined && isMapOnly !== (reducers === 0);
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

/** Names `-` to somebody who pipes something in and names no input. Other jobs are refused when their spec is made. */
function refuseNoInput({ inputs }: JobDescription): void {
  const { kind } = standardInputNow();
  if (kind !== "pipe" && kind !== "file") return;
  const what = kind === "pipe" ? "pipe" : "file";
  const how = inputs[0]?.name === "" ? "give -" : `give --input ${inputs[0]?.name}=-`;
  throw new MillraceError(
    "wrong-usage",
    `there is nothing to read: give files, folders or globs; for the ${what} on standard input ${how}`,
  );
}

/**
 * Writes to files what can be read only once: standard input (`-`), FIFOs, and what a shell makes of `<(…)`. Returns
 * the options of a submission that name these files. All are read at the same time, as one program may write to
 * several.
 */
export async function spoolInputs(
  inputs: SubmitOptions["inputs"],
  directory: () => Promise<string>,
  signal: AbortSignal,
): Promise<Pick<SubmitOptions, "standardInput" | "spooled">> {
  const given = [...new Set(inputs.flatMap(({ paths }) => paths))].filter(isReadOnce);
  const asStandardInput = inputs.flatMap(({ paths }) => paths).filter(isStandardInput);
  if (asStandardInput.length > 1) {
    const other = asStandardInput.find((path) => path !== "-");
    throw new MillraceError(
      "wrong-usage",
      `standard input (-${other === undefined ? "" : `, ${other}`}) can be read only once`,
    );
  }
  if (given.length === 0) return {};
  const folder = await directory();
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const readTo = async (path: string, file: string) => {
    // Where it is there, a run is being resumed, which had read it to the end before it submitted its job.
    if (existsSync(file)) return;
    const stream = isStandardInput(path) ? process.stdin : openFifo(resolve(path));
    await spoolStream(stream, isStandardInput(path) ? "Standard input" : path, file, either);
  };
  // By file: two spellings of one FIFO's path are one FIFO, which is read once.
  const files = new Map<string, Promise<void>>();
  const reads = given.map(async (path) => {
    const file = join(folder, spoolName(path));
    const read = files.get(file) ?? readTo(path, file);
    files.set(file, read);
    await read;
    return { given: path, path: file };
  });
  const settled = await Promise.allSettled(
    reads.map((read) =>
      read.catch((error: unknown) => {
        failed.abort();
        throw error;
      }),
    ),
  );
  const errors: unknown[] = settled.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
  // The first to fail has stopped the others.
  if (errors.length > 0) throw errors.find((error) => !isCancelled(error)) ?? errors[0];
  const spooled = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const standardInput = spooled.find((input) => input.given === "-")?.path;
  const others = spooled.filter((input) => input.given !== "-");
  return {
    ...(standardInput !== undefined && { standardInput }),
    ...(others.length > 0 && { spooled: others }),
  };
}

function isCancelled(error: unknown): boolean {
  return error instanceof MillraceError && error.code === "cancelled";
}
