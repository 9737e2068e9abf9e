// Master and worker in one process, for `millrace run` and `run()`: a cluster of one, joined by the in-memory
// transport. It opens no port, and loads nothing that only a cluster needs.
//
//   openLocal ─► bundle │ state store, master │ first slot   (side by side)
//             ─► describe ─► submit ─► watch … ─► close
//
// `close` removes everything that a run leaves, except after a failure: then state and runs stay for `resume`.
import { join } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { isUrl, outputPath } from "../../base/paths.ts";
import { loadLevel } from "../../base/system/optional-package.ts";
import { randomId } from "../../base/system/random.ts";
import { jobIdOf } from "../../master/master.ts";
import { createStorage } from "../../storage/any.ts";
import type { Storage } from "../../storage/storage.ts";
import { hasDatabase } from "../../worker/disk/directory-lock.ts";
import { createWorkDirectory, openWorkDirectory, removeWorkDirectory } from "../../worker/disk/work-directory.ts";
import { planBudget } from "../../worker/slots/budget.ts";
import { whileLoading } from "../loading.ts";
import {
  earlierJobs,
  makeParents,
  refuseIfBusy,
  refuseIfOvertaken,
  removeAbandoned,
  workDirectories,
  workDirectoriesOf,
} from "../work-directories.ts";
import { lookAtUnstored, publishedByUnstored, takeOver } from "./begin-again.ts";
import { Engine, type EngineParts } from "./engine.ts";
import { finishedOutput } from "./finished.ts";
import type { LocalEngine, LocalOptions } from "./options.ts";

export type { SubmitOptions } from "../engine.ts";
export type { Experiment, LocalEngine } from "./options.ts";

/** Bundles and describes the job, and prepares everything to run it. When it fails, it leaves nothing new behind. */
export async function openLocal(options: LocalOptions): Promise<LocalEngine> {
  const budget = planBudget({ slots: options.slots, memoryBytes: options.memoryBytes });
  const storage = createStorage();
  if (options.output !== undefined) await refuseIfBusy(options.output, options.workDir);
  if (options.output === undefined || options.deadLetters !== undefined)
    await removeAbandoned(options.workDir, storage);
  const engine = new Engine({ ...(await partsOf(options, storage)), budget, storage });
  try {
    await whileLoading(engine.open(), options);
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

type Parts = Omit<EngineParts, "options" | "budget" | "storage">;
type PartsAndOptions = Parts & Pick<EngineParts, "options">;

/** The parts to go on with, or to begin with, and the options of that kind of run. */
async function partsOf(options: LocalOptions, storage: Storage): Promise<PartsAndOptions> {
  const { output, workDir, resume, resumeOrBegin } = options;
  if (resume !== true && resumeOrBegin !== true) return { ...(await newParts(options, storage)), options };
  if (output === undefined) {
    throw new MillraceError("wrong-usage", "only a run with an output can be resumed: give the same output as before");
  }
  const left = workDirectoriesOf(output, workDir)[0];
  if (left !== undefined && hasDatabase(join(left.path, "state"))) {
    await loadLevel("--resume");
    return { ...resumedParts(options, output, left), options: { ...options, resume: true } };
  }
  const destination = outputPath(output);
  const unstored = left === undefined ? undefined : { output, ...left };
  const finished = await (unstored === undefined
    ? finishedOutput(storage, destination)
    : publishedByUnstored(unstored, storage));
  if (finished !== undefined) {
    // Only looks: with a work directory of its own, which is gone at its end.
    const looking = { ...options, output: undefined, deadLetters: undefined, resume: false, overwrite: false };
    const parts = await newParts(looking, storage);
    if (unstored !== undefined) takeOver(unstored, parts.work, "published");
    return { ...parts, directories: { ...parts.directories, destination }, options: looking, finished };
  }
  // Without LevelDB no run here keeps anything: that is what to be told of then.
  if (resumeOrBegin !== true) await loadLevel("--resume");
  if (unstored !== undefined) {
    const parts = await newParts(options, storage, await lookAtUnstored(unstored, options, storage));
    takeOver(unstored, parts.work, "unpublished");
    return { ...parts, options: { ...options, resume: false } };
  }
  if (resumeOrBegin === true) return { ...(await newParts(options, storage)), options };
  throw new MillraceError(
    "nothing-to-resume",
    `no earlier run with the output ${output} has left anything to go on with: run without --resume`,
  );
}

/** `replaced`: a folder of dead letters that an unfinished run has published. */
async function newParts(options: LocalOptions, storage: Storage, replaced?: string): Promise<Parts> {
  const key = randomId();
  const job = jobIdOf(key);
  const directories = workDirectories({ output: options.output, workDir: options.workDir }, job);
  const overwrite = options.overwrite ?? false;
  const ended = await endedJobs(options);
  // Without an output the destination is in the work directory, and creating that reports its own errors.
  const { replaces } =
    options.output === undefined
      ? { replaces: undefined }
      : await storage.prepare(directories.destination, overwrite, options.signal, ended);
  const { deadLetters: path } = options;
  const deadLetters =
    path === undefined
      ? undefined
      : { path, ...(await storage.prepare(path, overwrite || path === replaced, options.signal, ended)) };
  const removeParents = makeParents(directories.work);
  const work = createWorkDirectory({ path: directories.work, id: job, deadLetters: path });
  try {
    if (options.output !== undefined) await refuseIfOvertaken(options.output, options.workDir, directories.work);
  } catch (error) {
    removeWorkDirectory(work);
    removeParents();
    throw error;
  }
  return { key, job, directories, work, replaces, deadLetters, removeParents };
}

/** Killed runs with this output, which this run does not resume. */
async function endedJobs({ output, deadLetters, workDir }: LocalOptions): Promise<readonly JobId[]> {
  if (output === undefined || ![output, deadLetters].some((path) => path !== undefined && isUrl(path))) return [];
  return await earlierJobs(output, workDir);
}

/** The parts to resume with, from the newest work directory that a run with this output left. */
function resumedParts(
  options: LocalOptions,
  output: string,
  { path, job }: { readonly path: string; readonly job: JobId },
): Parts {
  const directories = workDirectories({ output, workDir: options.workDir }, job);
  const work = openWorkDirectory({ path, id: job });
  const deadLetters =
    options.deadLetters === undefined ? undefined : { path: options.deadLetters, replaces: undefined };
  const parts = { key: "", job, directories, work, replaces: undefined, deadLetters, removeParents: () => {} };
  return parts;
}
