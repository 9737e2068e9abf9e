// Checks that reduce writes the same every time. The pairs that map emitted for the sampled records go through it
// twice, by the tasks' own code (values can be read once, and need not be read at all), the second time with a clock of
// another day.

import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { formatCounted } from "../../base/units.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import { describeThrown } from "../../job/thrown.ts";
import { type ClockAndChance, clockAdvice, watchClockAndChance } from "../../sim/job/clock-and-chance.ts";
import { runInlineJob } from "../../task/inline.ts";
import type { MappedRecord } from "../../task/map/record-mapper.ts";
import { readableBytes } from "../replay/readable.ts";
import { type Check, failed, ok, skipped } from "./check.ts";

const name = "reduce writes the same when it is called again";

export async function checkReduce(job: JobDefinition, spec: JobSpec, mapped: readonly MappedRecord[]): Promise<Check> {
  if (job.reduce === undefined) return skipped(name, "the job has no reduce");
  const run = async (reduce: JobDefinition["reduce"]) => {
    const { outputs } = await runInlineJob(
      { ...replayingJob(job, spec), reduce },
      {
        inputs: [mapped, ...job.inputs.slice(1).map(() => [])],
        partitions: 1,
        source: "sample",
        paramsValue: spec.paramsValue,
      },
    );
    return outputs.flatMap((records, output) => records.map((record) => encoded(job, output, record)));
  };
  let first: Uint8Array[];
  try {
    first = await run(job.reduce);
  } catch (thrown) {
    // The whole sample went through reduce before. A part of the sample may be an input that reduce never sees in a
    // run.
    return skipped(name, `it throws on a part of the sample: ${describeThrown(thrown).message}`);
  }
  const watched = watchClockAndChance();
  const used = { readClock: false, drewChance: false };
  try {
    const again = await run(watchedReduce(job.reduce, watched, used));
    const index = first.findIndex((bytes, i) => again[i] === undefined || Buffer.compare(bytes, again[i]) !== 0);
    if (index < 0 && again.length === first.length) return ok(name, formatCounted(first.length, "record"));
    const at = index < 0 ? first.length : index;
    return failed(name, "it did not", [
      `first  ${shown(first[at])}`,
      `again  ${shown(again[at])}`,
      clockAdvice(used, "reduce") ??
        "What reduce writes may depend on its key, the values, ctx.params and what setup reads: on nothing that it keeps outside, and not on the outside world.",
    ]);
  } catch (thrown) {
    return failed(name, `the second time it threw ${describeThrown(thrown).message}`);
  } finally {
    watched.remove();
  }
}

/** A job with the same reduce over records that are mapped already. */
function replayingJob(job: JobDefinition, spec: JobSpec): JobDefinition {
  const emitPairs = (record: unknown, emit: unknown) => {
    const { pairs, outcome } = record as MappedRecord;
    if (outcome.kind === "threw") return;
    for (const { key, value } of pairs) {
      (emit as (key: unknown, value: unknown) => void)(job.key.read(key), job.value.read(value));
    }
  };
  return {
    ...job,
    partition: { kind: "hash" },
    inputs: job.inputs.map((input) => ({ ...input, map: emitPairs })),
    // Side files have absolute paths here, as they can't be looked for beside the bundle.
    files: new Map(spec.files.map(({ name, path }) => [name, path])),
    module: undefined,
  };
}

type Reduce = NonNullable<JobDefinition["reduce"]>;

/** Wraps reduce so that only its own use of clock and chance is noted: the code around it reads the clock too. */
function watchedReduce(
  reduce: Reduce,
  watched: ClockAndChance,
  used: { readClock: boolean; drewChance: boolean },
): Reduce {
  const note = () => {
    const { readClock, drewChance } = watched.takeUsed();
    used.readClock ||= readClock;
    used.drewChance ||= drewChance;
  };
  return (...call) => {
    watched.takeUsed();
    const returned = reduce(...call);
    if (!(returned instanceof Promise)) {
      note();
      return returned;
    }
    return returned.finally(note);
  };
}

function encoded(job: JobDefinition, output: number, record: unknown): Uint8Array {
  const out = new ByteBuffer(64);
  out.writeUint8(output);
  job.outputs[output]!.format.write(record, out);
  return out.copy();
}

function shown(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "nothing more" : readableBytes(bytes.subarray(1));
}
