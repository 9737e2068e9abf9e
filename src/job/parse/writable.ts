import { fitTo } from "../../format/format.ts";
import { refusalOf } from "../../format/writable.ts";
import { resultShape } from "../aggregate/lower.ts";
import { wrong } from "../check.ts";
import { type Shape, shapeOf } from "../codecs/shape.ts";
import type { JobDefinition } from "../definition.ts";
import { isEachKey } from "../mappers.ts";

/**
 * Checks that the main output may be able to write what the job makes, as far as the codecs say what that is. Throws
 * `wrong-job`, before any record has been read.
 */
export function checkWritable(
  job: Pick<JobDefinition, "key" | "value" | "outputs" | "reducers" | "reduce" | "aggregate">,
): void {
  const record = recordOf(job);
  const refusal = record && refusalOf(job.outputs[0]!.format, record);
  if (refusal === undefined) return;
  const what = job.aggregate === undefined ? "value" : "result";
  const reduce =
    job.reduce === undefined ? `without reduce each key is written with its ${what}` : "eachKey writes keys";
  throw wrong(
    `its output can't be written (${reduce}): ${refusal}. Change the output, or add a reduce that emits what is to be written`,
  );
}

/** Tells the main output what its records are made of, where that is known. */
export function fitted(outputs: JobDefinition["outputs"], record: Shape | undefined): JobDefinition["outputs"] {
  if (record === undefined) return outputs;
  return outputs.map((output, index) => (index === 0 ? { ...output, format: fitTo(output.format, record) } : output));
}

/** What is known of the records of the main output; undefined where the job's own code makes them. */
export function recordOf({
  key,
  value,
  reducers,
  reduce,
  aggregate,
}: Parameters<typeof checkWritable>[0]): Shape | undefined {
  if (reducers === 0) return undefined;
  if (isEachKey(reduce)) return shapeOf(key);
  if (reduce !== undefined) return undefined;
  if (aggregate !== undefined) return resultShape(key, aggregate);
  return { kind: "array", parts: [shapeOf(key), shapeOf(value)], names: ["the key", "the value"] };
}
