// Shared by the checks that call the job's code in this process: the job, its records, and a task to run its functions
// in.
import { held } from "../../base/assert.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import { type MappedRecord, RecordMapper, type RecordMapperOptions } from "../../task/map/record-mapper.ts";
import type { LateCalls } from "../../task/user/late-calls.ts";
import { UserTask } from "../../task/user/user-task.ts";
import type { SampleRecord } from "./sample.ts";

export interface InProcess {
  readonly job: JobDefinition;
  readonly spec: JobSpec;
  readonly records: readonly SampleRecord[];
  readonly signal: AbortSignal;
  readonly late?: LateCalls | undefined;
}

/** Records mapped before the event loop gets a turn, for an interrupt for instance. */
const recordsPerTurn = 256;

/** Bytes of emitted pairs and records that are held. When it is reached, the sample is cut. */
const heldBytesMax = 256 * 1024 * 1024;

export interface MapAllOptions extends Pick<RecordMapperOptions, "emitted"> {
  /** Indexes of the records, in the order in which they are to be mapped. */
  readonly order: readonly number[];
  readonly before?: (index: number) => void;
  readonly after?: (index: number, mapped: MappedRecord) => void;
}

/**
 * Calls setup, map for one record after the other, and teardown. Throws a `TaskFailure` when setup or teardown fails.
 */
export async function mapAll(here: InProcess, options: MapAllOptions): Promise<Map<number, MappedRecord>> {
  const { job, records, signal } = here;
  const task = userTask(here);
  const results = new Map<number, MappedRecord>();
  let held = 0;
  await task.run(async (state) => {
    const mapper = new RecordMapper({ job, task, state, ...(options.emitted && { emitted: options.emitted }) });
    for (const [turn, index] of options.order.entries()) {
      if (turn % recordsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted || held > heldBytesMax) break;
      options.before?.(index);
      const mapped = await mapper.map(records[index]!.input, records[index]!);
      options.after?.(index, mapped);
      held += bytesOf(mapped);
      results.set(index, mapped);
    }
  });
  task.end();
  return results;
}

function userTask({ job, spec, signal, late }: InProcess): UserTask {
  const paths = new Map(spec.files.map((file) => [file.name, file.path]));
  return new UserTask(
    { attempt: { job: "test", phase: "map", index: 0, epoch: 1, attempt: 1 }, spec, careful: false },
    { job, status: { write() {} }, signal, log: () => {}, file: (name) => held(paths, name, "path"), late },
  );
}

function bytesOf({ pairs, records }: MappedRecord): number {
  let bytes = 64;
  for (const { key, value } of pairs) bytes += key.length + value.length + 128;
  for (const record of records) bytes += record.bytes.length + 128;
  return bytes;
}

/** A record's place, such as "a.txt:12". */
export function placeOf({ source, offset }: SampleRecord): string {
  return `${source}:${offset}`;
}
