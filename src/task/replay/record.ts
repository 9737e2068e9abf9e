// Runs one record through `setup` and `map`, for `millrace replay`: what it emits, counts and throws. Nothing is
// written.
import { MillraceError } from "../../base/error.ts";
import type { Counters } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { decompressWithin, detectCompression, programOf } from "../../format/compression/compress.ts";
import type { PlannedFile } from "../../input/plan.ts";
import { type InputBatch, readSplit } from "../../input/read-split.ts";
import { headOf } from "../../input/resolve.ts";
import { resultOfState } from "../../job/aggregate/lower.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import type { Storage } from "../../storage/storage.ts";
import { partitionBytes, readFrame, viewOf } from "../emit/frame.ts";
import { PairEncoder } from "../emit/pair-encoder.ts";
import { isA, TaskFailure } from "../failure.ts";
import { type CallParts, RecordCall } from "../map/record-call.ts";
import { outputTable } from "../output/outputs.ts";
import { formatsWrite } from "../output/staged-outputs.ts";
import { hashText } from "../user/context.ts";
import { refusePromise } from "../user/late-calls.ts";
import { type UserEnvironment, UserTask } from "../user/user-task.ts";
import { ListedRecords } from "./listed-records.ts";

export interface ReplayOptions {
  readonly env: UserEnvironment & { readonly storage: Storage };
  readonly spec: JobSpec;
  /** The name of the input that the file is read as; "" where the job has one. */
  readonly input: string;
  /** The absolute path of the file. */
  readonly path: string;
  /** The value of `ctx.source`. */
  readonly source: string;
  /** Where the record begins in the file, or in its decompressed content. */
  readonly offset: number;
}

export interface ReplayResult {
  readonly record: unknown;
  /** As they come out of their codecs again: at most `limits.replayListedMax` of them. */
  readonly pairs: readonly { readonly key: unknown; readonly value: unknown }[];
  /** The number of all pairs, also of those not listed. */
  readonly pairCount: number;
  /** Records of outputs, by `emit.to` and of map-only jobs: at most `limits.replayListedMax`. */
  readonly records: readonly { readonly output: string; readonly record: unknown }[];
  /** The number of all records of each output, also of those not listed. */
  readonly recordCounts: ReadonlyMap<string, number>;
  readonly counters: Counters;
  /** What map, setup or teardown threw, as it was thrown. */
  readonly failed: { readonly thrown: unknown } | undefined;
}

/** Throws `bad-input` where the file can't be read or no record begins at the offset. */
export async function replayRecord(options: ReplayOptions): Promise<ReplayResult> {
  const { env, spec, source, offset } = options;
  const { job } = env;
  const found = await readRecord(options);
  const mapOnly = (spec.partitions ?? job.reducers) === 0;
  const encoder = mapOnly ? undefined : new PairEncoder(job, spec.partitions ?? job.reducers ?? 1);
  const pairs = new ListedPairs(job, encoder);
  const records = new ListedRecords();
  const attempt = { job: "replay", phase: "map", index: 0, epoch: 1, attempt: 1 } as const;
  const task = new UserTask({ attempt, spec, careful: false }, env);
  let failed: { thrown: unknown } | undefined;
  try {
    await task.run(async (state) => {
      task.status.phase("map");
      const parts: CallParts = {
        map: found.map,
        of: { name: "map", code: [found.map] },
        base: task.base,
        state,
        totals: task.totals,
        returned: task.returned,
        table: outputTable(job, listingEncoders(job, records)),
        buffers: [],
        encoder,
        grown: (call) => pairs.takeFrom(call),
      };
      const stream = hashText(source);
      const call = new RecordCall(parts, {
        record: found.record,
        file: 0,
        source,
        stream: () => stream,
        offset,
        bytes: 0,
        lines: 0,
      });
      await call.begin();
      call.scope.counts.commit();
      if (call.outcome?.kind === "threw") failed = { thrown: call.outcome.thrown };
    });
  } catch (thrown) {
    if (!isA(thrown, TaskFailure)) throw thrown;
    failed ??= { thrown: thrown.thrown };
  }
  task.end();
  return {
    record: found.record,
    pairs: pairs.listed,
    pairCount: pairs.count,
    records: records.listed,
    recordCounts: records.counts,
    counters: task.totals.report(),
    failed,
  };
}

/** Lists records as they are emitted, after their format has checked them. */
function listingEncoders(job: JobDefinition, records: ListedRecords) {
  return job.outputs.map(({ name, format }) => (record: unknown, out: Parameters<typeof format.write>[1]): void => {
    refusePromise<unknown>(format.write(record, out), formatsWrite);
    records.add(name, record);
  });
}

async function readRecord({ env, spec, input, path, source, offset }: ReplayOptions) {
  const { job, storage, signal } = env;
  const index = job.inputs.findIndex(({ name }) => name === input);
  if (index < 0) throw new MillraceError("wrong-usage", `the job has no input named ${JSON.stringify(input)}`);
  const info = await storage.stat(path);
  if (info === undefined) throw new MillraceError("bad-input", `${path} does not exist`);
  const compression = spec.decompress === undefined ? detectCompression(await headOf(storage, info, 64)) : "program";
  const file: PlannedFile = { ...info, source, input: index, compression };
  const { format, map } = job.inputs[index]!;
  const isCut = compression === "none" && format.split === "anywhere";
  const batches = readSplit({
    split: [{ file: 0, start: isCut ? offset : 0, end: isCut ? Math.min(offset + 1, info.bytes) : info.bytes }],
    files: { 0: file },
    formatOf: () => format,
    storage,
    decompress: decompressWithin(undefined, programOf(spec)),
    signal,
  });
  for await (const { batch } of batches as AsyncIterable<InputBatch>) {
    const at = batch.starts.subarray(0, batch.records.length).indexOf(offset);
    if (at >= 0) return { record: batch.records[at], map };
    if (batch.end > offset) break;
  }
  throw new MillraceError("bad-input", `no record begins at offset ${offset} of ${path}`);
}

/** Decodes pairs as they are emitted, and holds only those that are shown. */
class ListedPairs {
  readonly listed: { key: unknown; value: unknown }[] = [];
  count = 0;
  readonly #job: JobDefinition;
  readonly #header: number;

  constructor(job: JobDefinition, encoder: PairEncoder | undefined) {
    this.#job = job;
    this.#header = encoder?.choose === undefined ? 0 : partitionBytes;
  }

  takeFrom({ pairs }: RecordCall): void {
    for (let at = 0; at < pairs.length; ) {
      const pair = readFrame(pairs.bytes, at, this.#header);
      if (this.count++ < limits.replayListedMax) {
        const key = this.#job.key.read(viewOf(pairs.bytes, pair.key, pair.value));
        const value = resultOfState(this.#job.value.read(viewOf(pairs.bytes, pair.value, pair.end)));
        this.listed.push({ key, value });
      }
      at = pair.end;
    }
    pairs.reset();
  }
}
