// Runs the reduce of one key, for `millrace replay --key`: setup, reduce over the values that map-group.ts has kept,
// and teardown, as a reduce attempt would. Nothing is written.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { AttemptId, Counters } from "../../base/ids.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { gather } from "../../shuffle/gather.ts";
import { openRun } from "../../sort/run-reader.ts";
import { kernelFold } from "../emit/fold.ts";
import { isA, TaskFailure } from "../failure.ts";
import { formatsWrite } from "../output/staged-outputs.ts";
import type { SingleSink } from "../reduce/key-lines.ts";
import { ReduceSide } from "../reduce/side.ts";
import { refusePromise } from "../user/late-calls.ts";
import { UserTask } from "../user/user-task.ts";
import { ListedRecords } from "./listed-records.ts";
import type { GroupOptions, HeldGroup } from "./map-group.ts";

export interface ReducedGroup {
  /** Records of the outputs: at most `limits.replayListedMax`. */
  readonly records: ListedRecords["listed"];
  readonly recordCounts: ReadonlyMap<string, number>;
  readonly counters: Counters;
  /** What setup, reduce or teardown threw. */
  readonly failed: TaskFailure | undefined;
}

const attempt: AttemptId = { job: "replay", phase: "reduce", index: 0, epoch: 1, attempt: 2 };

/** Throws what the engine throws. */
export async function reduceGroup(options: GroupOptions, { files, run, partition }: HeldGroup): Promise<ReducedGroup> {
  const { env, spec, kernel, combining } = options;
  const { job, signal } = env;
  const task = new UserTask({ attempt, spec, careful: false }, env);
  const records = new ListedRecords();
  let failed: TaskFailure | undefined;
  try {
    await task.run(async (state) => {
      const { cursor } = gather({
        kernel,
        // Without reduce the folded value is the result.
        fold: combining === "never" && job.reduce !== undefined ? undefined : kernelFold(job),
        files,
        attempt,
        runs: [run],
        open: ({ path, writtenBy }) => openRun(files.open(path), writtenBy, path),
        partition,
      });
      const sink = listing(job, records);
      await new ReduceSide({ job, task, state, cursor, sink, files, signal, sharing: false }).reduceAll();
    });
  } catch (thrown) {
    if (!isA(thrown, TaskFailure)) throw thrown;
    failed = thrown;
  }
  task.end();
  return { records: records.listed, recordCounts: records.counts, counters: task.totals.report(), failed };
}

/** Lists records as they are emitted, after their format has checked them. */
function listing({ outputs }: JobDefinition, records: ListedRecords): SingleSink {
  const scratch = new ByteBuffer();
  return {
    write(output, record) {
      const { name, format } = outputs[output]!;
      scratch.reset();
      refusePromise<unknown>(format.write(record, scratch), formatsWrite);
      records.add(name, record);
    },
  };
}
