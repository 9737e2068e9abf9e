// Implements `run()`. Slots run the job's module, not the object at hand, by the same code path as the command.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MillraceError } from "../../base/error.ts";
import { systemClock } from "../../base/system/clock.ts";
import { jobDefinition } from "../../job/define-job.ts";
import { paramsFromValues } from "../../job/params/give.ts";
import type { JobResult } from "../../job/run-options.ts";
import { describeThrown } from "../../job/thrown.ts";
import { publishedFiles } from "../../output/published.ts";
import type { JobView } from "../../protocol/view.ts";
import { manifestName } from "../../storage/manifest.ts";
import { deadLettersFolder } from "../dead-letters.ts";
import type { JobEngine } from "../engine.ts";
import { readRecords } from "../kept-records.ts";
import { type LocalEngine, openLocal, type SubmitOptions } from "../local/open.ts";
import { asCallerSees } from "./error.ts";
import { misplacedOption, openingOf, submitValues } from "./option-values.ts";
import { type AnyRunOptions, type CheckedRunOptions, checkedRunOptions } from "./options.ts";
import { resultOf, resultOfEarlier } from "./result.ts";

type Records = JobResult & AsyncIterable<unknown>;

/** Throws the job's failure, `cancelled` when the signal was aborted, and what opening and submitting throw. */
export async function runJob(
  job: object,
  given: AnyRunOptions,
  caller: { readonly stack?: string },
): Promise<JobResult | Records> {
  const startedMs = systemClock.now();
  try {
    const directory = process.cwd();
    const options = checkedRunOptions(given);
    if (options.signal?.aborted) throw cancelled(options.signal);
    const misplaced = misplacedOption(options);
    if (misplaced !== undefined) throw refused(misplaced, options.master);
    return options.master === undefined
      ? await runHere(job, options, directory, startedMs)
      : await runThere(job, options.master, options, directory, startedMs);
  } catch (error) {
    throw asCallerSees(error, caller);
  }
}

async function runHere(
  job: object,
  options: CheckedRunOptions,
  directory: string,
  startedMs: number,
): Promise<JobResult | Records> {
  try {
    return await runOnce(job, options, directory, startedMs);
  } catch (error) {
    const isNone = error instanceof MillraceError && error.code === "nothing-to-resume";
    if (!isNone || options.resumeOrBegin !== true) throw error;
    return await runOnce(job, { ...options, resume: undefined, resumeOrBegin: undefined }, directory, startedMs);
  }
}

async function runOnce(
  job: object,
  options: CheckedRunOptions,
  directory: string,
  startedMs: number,
): Promise<JobResult | Records> {
  const engine = await openLocal({
    ...openingOf(options),
    module: moduleOf(job, options.module),
    output: options.output,
    deadLetters: deadLettersOf(options),
    signal: options.signal,
    onWarning: warnOnce,
  }).catch(unlessCancelled(options.signal));
  try {
    const submit = submission(options, directory);
    const done = await engine.alreadyDone?.(submit);
    if (done !== undefined) {
      const files = await filesOf(engine);
      const result = await resultOfEarlier(job, engine, done, options);
      await engine.close();
      return { ...result, elapsedMs: systemClock.now() - startedMs, files };
    }
    const view = await runToEnd(engine, submit, options, startedMs);
    if (options.output === undefined) {
      await engine.stop();
      return { ...resultOf(job, view, options, startedMs), files: [], [Symbol.asyncIterator]: keptRecords(engine) };
    }
    const files = await filesOf(engine);
    await engine.close();
    return { ...resultOf(job, view, options, startedMs), files };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Runs the job on a cluster, whose modules are loaded only here. */
async function runThere(
  job: object,
  address: string,
  options: CheckedRunOptions,
  directory: string,
  startedMs: number,
): Promise<JobResult> {
  const { output } = options;
  if (output === undefined) {
    throw new MillraceError(
      "wrong-usage",
      "a cluster publishes into a folder that all its workers see: give run an output",
    );
  }
  const module = moduleOf(job, options.module);
  const [{ openRemote }, { connectTo }] = await Promise.all([
    import("../remote/open.ts"),
    import("../remote/connect.ts"),
  ]);
  const engine = await openRemote({
    ...openingOf(options),
    module,
    output,
    master: connectTo({ address, tokenFile: options.tokenFile, ca: options.ca, signal: options.signal }),
    address,
    deadLetters: deadLettersOf(options),
    signal: options.signal,
    onWarning: warnOnce,
  }).catch(unlessCancelled(options.signal));
  try {
    const view = await runToEnd(engine, submission(options, directory), options, startedMs);
    const files = await filesSeenFromHere(engine);
    return { ...resultOf(job, view, options, startedMs), files };
  } finally {
    await engine.close();
  }
}

function refused(name: string, master: string | undefined): MillraceError {
  const why =
    master === undefined
      ? "is for a cluster: give master too, or leave it out"
      : "is for a run on this machine: leave it out, or leave out master";
  return new MillraceError("wrong-usage", `${name} ${why}`);
}

/**
 * The published files; empty when the workers' folder is not visible from here, as the job has succeeded all the same.
 */
async function filesSeenFromHere(engine: JobEngine): Promise<JobResult["files"]> {
  const isSeen = (await engine.storage.stat(`${engine.destination}/${manifestName}`)) !== undefined;
  return isSeen ? await filesOf(engine) : [];
}

async function filesOf({ storage, destination }: JobEngine): Promise<JobResult["files"]> {
  const files = await publishedFiles(storage, destination);
  return files.map(({ path, bytes, records }) => ({ path, bytes, records }));
}

async function runToEnd(
  engine: JobEngine,
  submit: SubmitOptions,
  { signal, onProgress }: CheckedRunOptions,
  startedMs: number,
): Promise<JobView> {
  const handle = await engine.submit(submit);
  // Loaded only where it is asked for.
  const told =
    onProgress &&
    import("./tell-progress.ts").then(({ tellProgress }) =>
      tellProgress({ handle, call: onProgress, startedMs, warn: warnOnce }),
    );
  const cancel = () => void handle.cancel().catch(() => {}); // `ended` tells whether it was cancelled
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const view = await handle.ended;
    await told;
    if (view.state === "succeeded") return view;
    if (view.state === "cancelled") throw cancelled(signal);
    throw failed(view);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/**
 * The records, which can be read once. They are removed when the reader has finished or left, or when the process
 * exits.
 */
function keptRecords(engine: LocalEngine): () => AsyncIterator<unknown> {
  const remove = () => engine.removeNow();
  process.once("exit", remove);
  let isTaken = false;
  async function* read(): AsyncGenerator<unknown> {
    try {
      yield* readRecords(engine.storage, engine.destination);
    } finally {
      process.off("exit", remove);
      remove();
    }
  }
  return () => {
    if (isTaken)
      throw new MillraceError(
        "wrong-usage",
        "the records of a run can be read only once: keep them, or give run an output",
      );
    isTaken = true;
    return read();
  };
}

function submission(options: CheckedRunOptions, directory: string): SubmitOptions {
  const inputs = Array.isArray(options.inputs)
    ? [{ name: "", paths: options.inputs as readonly string[] }]
    : Object.entries(options.inputs as Readonly<Record<string, readonly string[]>>).map(([name, paths]) => ({
        name,
        paths,
      }));
  return {
    directory,
    inputs,
    params: paramsFromValues(options.params),
    writes: options.output === undefined ? "records" : "formats",
    ...submitValues(options),
  };
}

function deadLettersOf({ output, deadLetters, skipBad = 0 }: CheckedRunOptions): string | undefined {
  const words = { output: "an `output`", deadLetters: "`deadLetters`", skipBad: "`skipBad`" };
  return deadLettersFolder({ output, deadLetters, skipBad }, words);
}

function moduleOf(job: object, given: string | undefined): string {
  const module = given ?? jobDefinition(job).module;
  if (module === undefined) {
    throw new MillraceError(
      "wrong-job",
      "run can't tell which file the job is from: make the job the default export of a module and pass that module's import.meta.url as `module`",
    );
  }
  return module.startsWith("file:") ? fileURLToPath(module) : resolve(module);
}

function failed(view: JobView): MillraceError {
  const { reason } = view;
  const where = reason?.where === undefined ? "" : ` (at ${reason.where})`;
  const error = new MillraceError(
    "job-failed",
    `the job ${view.name} failed: ${reason?.message ?? "no reason is known"}${where}`,
  );
  if (reason?.stack !== undefined) error.stack = `${error.name}: ${error.message}\n${reason.stack}`;
  return error;
}

const warned = new Set<string>();

/** Emits a warning of Node's, which the program can listen to. A loop of runs gives each warning once. */
function warnOnce(warning: string): void {
  if (warned.has(warning)) return;
  warned.add(warning);
  process.emitWarning(warning, { type: "MillraceWarning" });
}

/** Turns the rejection of a wait into `cancelled` where the signal was aborted. */
function unlessCancelled(signal: AbortSignal | undefined): (error: unknown) => never {
  return (error) => {
    throw signal?.aborted ? cancelled(signal) : error;
  };
}

/** The error of a cancelled run. A reason that was given to `abort` is its cause, and stands in its message. */
function cancelled(signal: AbortSignal | undefined): MillraceError {
  const cause: unknown = signal?.aborted ? signal.reason : undefined;
  const isGiven = cause !== undefined && !(cause instanceof DOMException && cause.name === "AbortError");
  const why = isGiven ? `: ${describeThrown(cause).message}` : "";
  return new MillraceError("cancelled", `the run was cancelled${why}`, { cause });
}
