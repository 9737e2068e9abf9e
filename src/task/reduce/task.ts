// A reduce attempt: one partition of all map outputs → fetch what lies elsewhere → merge → groups → reduce (or the
// folded values) → one staged part file.
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import type { ReducePosition } from "../../checkpoint/checkpoint.ts";
import { memberCompressor } from "../../format/compression/compress.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { Assignment, AttemptDone, ReduceWork } from "../../protocol/messages.ts";
import { noStats } from "../../protocol/stats.ts";
import type { Fetched } from "../../shuffle/client.ts";
import { type Gathered, gather } from "../../shuffle/gather.ts";
import { filesAgain } from "../../sort/files-again.ts";
import { type MeasuredFiles, measureFiles } from "../../sort/measured-files.ts";
import type { RunFiles } from "../../sort/run.ts";
import { kernelFold } from "../emit/fold.ts";
import type { FetchRequest, ReduceInputs, TaskEnvironment } from "../environment.ts";
import { isA } from "../failure.ts";
import { encodedKeyExcerpt } from "../key-excerpt.ts";
import { ReturnsPromises } from "../map/sharing.ts";
import { outputFormats, StagedOutputs } from "../output/staged-outputs.ts";
import { UserTask } from "../user/user-task.ts";
import { CheckpointRefused } from "./checkpoint-refused.ts";
import { Saving } from "./saving.ts";
import { ReduceSide } from "./side.ts";

/** Throws a `TaskFailure`, or what the engine throws, and then leaves nothing behind. */
export async function runReduceTask(
  assignment: Assignment,
  work: ReduceWork,
  env: TaskEnvironment,
  inputs: ReduceInputs | undefined,
): Promise<AttemptDone> {
  assert(inputs !== undefined, "a reduce attempt has inputs");
  assert(inputs.mapVersion === work.mapVersion, "the inputs are of the assignment's version");
  const begun = env.clock.now();
  const { attempt, spec } = assignment;
  const { job, storage } = env;
  const files = measureFiles(env.runs);
  const task = new UserTask(assignment, env);
  const compressMember = job.compress && (await memberCompressor(job.compress));
  const saving = new Saving(env, task, begun);
  let fetched: Fetched | undefined;
  let outputs: StagedOutputs | undefined;
  try {
    // Runs before any user code, so that what user code waits for or keeps open does not have to outlast the network.
    if (inputs.fetch !== undefined) fetched = await inputs.fetch(fetchRequest(assignment, work, task, env, files));
    let restarts = 0;
    const reduceWith = async (state: unknown) => {
      const own = filesAgain(files, restarts);
      const gathered = gatherAll(assignment, env, inputs, task, own, fetched);
      const { cursor } = gathered;
      const merged = saving.isOn ? gathered.digest() : undefined;
      let side: ReduceSide;
      try {
        const { from } = saving;
        if (from !== undefined && !Buffer.from(from.inputs).equals(merged!))
          throw new CheckpointRefused("it is of other map outputs");
        const staging = { job, spec, attempt, storage, compressMember, isSavable: saving.isOn };
        const sink = new StagedOutputs(
          { ...staging, from: from?.outputs, beat: task.status.touch },
          outputFormats(job, spec),
        );
        outputs = sink;
        sink.open(0);
        saving.resume();
        const { signal } = env;
        const basics = { job, task, state, cursor, sink, files: own, signal, isCombined: combines(env) };
        const onRest = (position: ReducePosition) => saving.save(position, merged!, sink);
        side = new ReduceSide({ ...basics, from, pace: saving.pace, onRest });
      } catch (thrown) {
        cursor.close();
        throw thrown;
      }
      await side.reduceAll();
      return { side, gathered, outputs: outputs as StagedOutputs };
    };
    const reduced = await task.run(async (state) => {
      for (; ; restarts++) {
        try {
          return await reduceWith(state);
        } catch (thrown) {
          if (!isA(thrown, ReturnsPromises) && !saving.isToBlame(thrown)) throw thrown;
          saving.discard(thrown);
          outputs?.abort();
          outputs = undefined;
          task.totals.clear();
        }
      }
    });
    const largestGroups = largestOf(job, reduced.side);
    task.status.phase("write");
    task.end();
    const { records } = reduced.outputs;
    const staged = await reduced.outputs.finish();
    const bytesOut = staged.reduce((sum, file) => sum + file.bytes, 0);
    return {
      attempt,
      ok: true,
      mapVersion: inputs.mapVersion,
      staged,
      deadLetters: [],
      ...(largestGroups !== undefined && { largestGroups }),
      counters: task.totals.report(),
      stats: {
        ...statsOf(reduced.side, reduced.gathered, files, fetched),
        ...saving.stats,
        recordsOut: records,
        valuesReturned: task.returned.isAny ? 1 : 0,
        bytesOut,
        wallMs: env.clock.now() - begun,
      },
    };
  } catch (thrown) {
    // What a checkpoint says is saved is for the next attempt.
    if (saving.isAny) outputs?.leave();
    else outputs?.abort();
    throw thrown;
  } finally {
    fetched?.close();
  }
}

/** Brings all segments of the partition together: those that lie here, and those that were fetched. */
function gatherAll(
  { attempt }: Assignment,
  env: TaskEnvironment,
  inputs: ReduceInputs,
  { status }: UserTask,
  files: RunFiles,
  fetched: Fetched | undefined,
): Gathered {
  const { job, kernel } = env;
  return gather({
    kernel,
    // Without reduce the folded value is the result.
    fold: combines(env) ? kernelFold(job) : undefined,
    files,
    attempt,
    runs: inputs.runs,
    fetched: fetched?.inputs ?? [],
    open: (run) => inputs.open(run),
    beat: status.touch,
    partition: attempt.index,
  });
}

/** Reports from here on that the attempt fetches, and how much has come. */
function fetchRequest(
  { attempt }: Assignment,
  { partitions }: ReduceWork,
  { status }: UserTask,
  { signal }: TaskEnvironment,
  files: RunFiles,
): FetchRequest {
  status.phase("fetch");
  const onBytes = (bytes: number) => {
    status.bytes += bytes;
    status.touch();
  };
  return { attempt, partition: attempt.index, partitions, files, signal, onBytes };
}

/** Whether values are folded in front of reduce, or for the output where there is none. */
function combines({ job, combining }: TaskEnvironment): boolean {
  if (combining === "never" && job.reduce !== undefined) return false;
  return job.combine !== undefined || job.aggregate !== undefined;
}

/** The largest group, where reduce knows how many pairs it had: it is the job's, as each key is in one partition. */
function largestOf(job: JobDefinition, { largest }: ReduceSide): AttemptDone["largestGroups"] {
  if (largest === undefined) return undefined;
  const { key, pairs } = largest;
  const group = { key: encodedKeyExcerpt(job, key), hash: crc32(key), pairs };
  return { groups: [group], othersMax: pairs, isEstimate: false };
}

function statsOf(
  side: ReduceSide,
  { pairs, bytes }: Gathered,
  { memoryBytes, diskBytes }: MeasuredFiles,
  fetched: Fetched | undefined,
): AttemptDone["stats"] {
  return {
    ...noStats,
    recordsIn: side.groups,
    bytesIn: bytes,
    pairs,
    memoryRunBytes: memoryBytes,
    diskRunBytes: diskBytes,
    groups: side.groups,
    groupMax: side.groupMax,
    fetchedBytes: fetched?.bytes ?? 0,
  };
}
