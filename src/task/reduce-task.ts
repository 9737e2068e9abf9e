// A reduce attempt: one partition of all map outputs → merge → groups → reduce (or the folded values) → one staged part file.
import { assert } from "../base/assert.ts";
import { memberCompressor } from "../format/compress.ts";
import type { Assignment, AttemptDone, ReduceWork } from "../rpc/messages.ts";
import { type Gathered, gather } from "../shuffle/gather.ts";
import type { ReduceInputs, TaskEnvironment } from "./environment.ts";
import { kernelFold } from "./fold.ts";
import { ReduceSide } from "./reduce-side.ts";
import { outputFormats, StagedOutputs } from "./staged-outputs.ts";
import { UserTask } from "./user-task.ts";

/** Throws a `TaskFailure`, or what the engine throws; then nothing is left behind. */
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
  const { job, storage, kernel, runs } = env;
  const task = new UserTask(assignment, env);
  const compressMember = job.compress && (await memberCompressor(job.compress));
  const outputs = new StagedOutputs({ job, spec, attempt, storage, compressMember }, outputFormats(job, spec));
  try {
    const { side, gathered } = await task.run(async (state) => {
      outputs.open(0);
      const gathered = gather({
        kernel,
        // Without reduce the folded value is the result.
        fold: env.combining === "never" && job.reduce !== undefined ? undefined : kernelFold(job),
        files: runs,
        attempt,
        runs: inputs.runs,
        open: (run) => inputs.open(run),
        partition: attempt.index,
      });
      const side = new ReduceSide({ job, task, state, cursor: gathered.cursor, sink: outputs, signal: env.signal });
      await side.reduceAll();
      return { side, gathered };
    });
    task.status.phase("write");
    task.end();
    const records = outputs.records;
    const staged = await outputs.finish();
    const bytesOut = staged.reduce((sum, file) => sum + file.bytes, 0);
    return {
      attempt,
      ok: true,
      mapVersion: inputs.mapVersion,
      staged,
      deadLetters: [],
      counters: task.totals.report(),
      stats: { ...statsOf(side, gathered), recordsOut: records, bytesOut, wallMs: env.clock.now() - begun },
    };
  } catch (thrown) {
    outputs.abort();
    throw thrown;
  }
}

function statsOf(
  side: ReduceSide,
  gathered: Gathered,
): Omit<AttemptDone["stats"], "recordsOut" | "bytesOut" | "wallMs"> {
  const { memoryRunBytes, diskRunBytes, pairs, bytes } = gathered;
  return {
    recordsIn: side.groups,
    bytesIn: bytes,
    pairs,
    memoryRunBytes,
    diskRunBytes,
    spills: 0,
    groups: side.groups,
    groupMax: side.groupMax,
    fetchedBytes: 0,
  };
}
