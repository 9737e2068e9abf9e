// Some thousand records of the sample, spread over all of it, for the checks in this process.
import { MiB } from "../../base/limits.ts";
import { decompressWithin, programOf } from "../../format/compression/compress.ts";
import type { PlannedFile } from "../../input/plan.ts";
import { readSample } from "../../input/sample.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Storage } from "../../storage/storage.ts";
import type { RecordOrigin } from "../../task/map/record-mapper.ts";
import { hashText } from "../../task/user/context.ts";

export interface SampleRecord extends RecordOrigin {
  /** Index of the input that the record is from. */
  readonly input: number;
}

/** Bytes of input that are sampled: the records are held in memory, with everything that they emit. */
const bytesMax = 32 * MiB;

export async function sampleRecords(options: {
  readonly job: JobDefinition;
  readonly spec: JobSpec;
  readonly files: readonly PlannedFile[];
  readonly storage: Storage;
  readonly signal: AbortSignal;
}): Promise<SampleRecord[]> {
  const { job, spec, files, storage, signal } = options;
  const formatOf = (input: number) => job.inputs[input]!.format;
  const records: SampleRecord[] = [];
  let bytes = 0;
  for await (const { batch, input, fileIndex, source } of readSample({
    files,
    formatOf,
    storage,
    decompress: decompressWithin(undefined, programOf(spec)),
    signal,
  })) {
    const stream = hashText(source);
    for (const [i, record] of batch.records.entries()) {
      const offset = batch.starts[i]!;
      records.push({ input, record, file: fileIndex, source, stream: () => stream, offset, bytes: 0, lines: 0 });
    }
    bytes += batch.end - (batch.starts[0] ?? batch.end);
    if (bytes > bytesMax) break;
  }
  return records;
}
