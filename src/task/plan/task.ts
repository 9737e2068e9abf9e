// The plan attempt: which files, which splits in which order, how many partitions, and where they begin with `byRange`.
// All of it depends only on the input and the job, never on slots or machines; later tasks read only what is found
// here.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { decompressWithin, detectCompression, programOf } from "../../format/compression/compress.ts";
import type { InputFormat } from "../../format/format.ts";
import { BadRecordIn } from "../../input/bad-record.ts";
import { type HeaderOptions, withHeaders } from "../../input/header.ts";
import type { Plan, PlannedFile } from "../../input/plan.ts";
import { resolveInputs } from "../../input/resolve.ts";
import { readSample } from "../../input/sample.ts";
import { defaultPartitions, planSplits, totalBytes } from "../../input/split.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Assignment, AttemptDone } from "../../protocol/messages.ts";
import { noStats } from "../../protocol/stats.ts";
import type { TaskEnvironment } from "../environment.ts";
import { badInputFailure, isA } from "../failure.ts";
import { KeySample } from "./key-sample.ts";
import { sampleKeys } from "./sample-keys.ts";

/** Throws a `TaskFailure`, or what the engine throws. */
export async function runPlanTask(assignment: Assignment, env: TaskEnvironment): Promise<AttemptDone> {
  const begun = env.clock.now();
  const { spec, attempt } = assignment;
  const { job, storage, signal } = env;
  const formatOf = (input: number): InputFormat<unknown> => job.inputs[input]!.format;
  const found = await resolveInputs({
    storage,
    inputs: inputsInOrder(job, spec),
    directory: spec.directory,
    spooled: spec,
    // Every file goes through the program, whatever it is called and holds.
    detectCompression: spec.decompress === undefined ? detectCompression : () => "program",
    formatOf,
    signal,
  });
  const splits = await planSplits({ storage, files: found, formatOf, splitBytes: spec.splitBytes, signal });
  const files = await headersOf({ storage, files: found, splits, formatOf });
  const bytes = totalBytes(files);
  const partitions = spec.partitions ?? job.reducers ?? defaultPartitions(bytes);
  let boundaries: readonly Uint8Array[] = [];
  if (job.partition.kind === "range" && partitions > 1) {
    const sample = new KeySample(job.group?.shapes);
    const decompress = decompressWithin(env.windowBytesMax, programOf(spec));
    await sampleKeys(assignment, env, readSample({ files, formatOf, storage, decompress, signal }), sample);
    boundaries = sample.boundaries(partitions);
  }
  return {
    attempt,
    ok: true,
    plan: { files, splits, boundaries, partitions } satisfies Plan,
    staged: [],
    deadLetters: [],
    counters: Object.create(null),
    stats: { ...noStats, bytesIn: bytes, wallMs: env.clock.now() - begun },
  };
}

/** A header that can't be found ends the job, as it would in any of the file's splits. */
async function headersOf(options: HeaderOptions): Promise<readonly PlannedFile[]> {
  try {
    return await withHeaders(options);
  } catch (thrown) {
    if (isA(thrown, BadRecordIn))
      throw badInputFailure(thrown, { where: thrown.source, excerpt: excerptOf(thrown.bytes) });
    throw thrown;
  }
}

/** The inputs in the order in which the job declares them, whatever the order in which they were given. */
export function inputsInOrder(job: JobDefinition, spec: JobSpec): JobSpec["inputs"] {
  return job.inputs.map(({ name }) => {
    const given = spec.inputs.find((input) => input.name === name);
    if (given !== undefined) return given;
    throw new MillraceError(
      "wrong-usage",
      `the job's input ${JSON.stringify(name)} was not given: --input ${name}=PATH`,
    );
  });
}
