// The keys of the input's sample, for the boundaries of `byRange`: for which setup and map are called.
import type { InputBatch } from "../../input/read-split.ts";
import { createEmitter } from "../emit/emitter.ts";
import { PairEncoder } from "../emit/pair-encoder.ts";
import { MapPass } from "../map/pass.ts";
import { DeadLetters } from "../output/dead-letters.ts";
import { outputTable } from "../output/outputs.ts";
import { recordEncoders } from "../output/staged-outputs.ts";
import { hashText } from "../user/context.ts";
import { type TaskFrame, type UserEnvironment, UserTask } from "../user/user-task.ts";
import type { KeySample } from "./key-sample.ts";

/**
 * Runs setup and map over sampled records, for the keys that they emit. Counters, logs and `emit.to` are discarded, and
 * records that fail are skipped: mapping them will report what is wrong. Throws a `TaskFailure` when setup or teardown
 * fail.
 */
export async function sampleKeys(
  frame: TaskFrame,
  env: UserEnvironment,
  batches: AsyncIterable<InputBatch>,
  sample: KeySample,
): Promise<void> {
  const { job } = env;
  const task = new UserTask(frame, { ...env, log: () => {} });
  const encoder = new PairEncoder({ ...job, partition: { kind: "hash" } }, 1);
  const emitter = createEmitter(encoder, sample);
  await task.run(async (state) => {
    task.status.phase("map");
    const passOf = (input: number): MapPass =>
      new MapPass({
        map: job.inputs[input]!.map,
        base: task.base,
        state,
        totals: task.totals,
        returned: task.returned,
        table: outputTable(job, recordEncoders(job.outputs.map((output) => output.format))),
        encoder,
        emitter,
        sinks: { append() {} },
        concurrency: job.concurrency,
        deadLetters: new DeadLetters(0, 0, () => {
          throw new Error("a sample puts nothing aside");
        }),
        putAside: new Map(),
        tries: "none",
        sharing: "none",
        status: task.status,
        signal: env.signal,
      });
    let pass: MapPass | undefined;
    let input = -1;
    for await (const item of batches) {
      if (pass === undefined || item.input !== input) {
        await pass?.finish();
        pass = passOf(item.input);
        input = item.input;
      }
      const stream = hashText(item.source);
      await pass.mapBatch(item.batch, { file: item.fileIndex, source: item.source, stream: () => stream });
    }
    await pass?.finish();
    pass?.close();
    emitter.flush();
  });
}
