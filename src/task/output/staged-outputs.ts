// The output files of one attempt: one per output that something was written to, and always one of the main output.
import type { AttemptId } from "../../base/ids.ts";
import { type LineWriting, lineWriting, type OutputFormat } from "../../format/format.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import { partName } from "../../output/part-name.ts";
import { PartWriter, type SavedPart } from "../../output/part-writer.ts";
import type { StagedFile, Storage } from "../../storage/storage.ts";
import { refusePromise } from "../user/late-calls.ts";
import { autoRecords } from "./auto-records.ts";
import type { OutputSinks, RecordEncoder } from "./outputs.ts";

export interface StagedOutputsOptions {
  readonly job: JobDefinition;
  readonly spec: JobSpec;
  readonly attempt: AttemptId;
  readonly storage: Storage;
  /** Where the job compresses its outputs: `memberCompressor` of its compression. */
  readonly compressMember: ((bytes: Uint8Array) => Uint8Array) | undefined;
  /** Whether `save` and `leave` may be called. Default false. */
  readonly isSavable?: boolean | undefined;
  /** What another attempt had saved. Default: nothing. */
  readonly from?: readonly SavedPart[] | undefined;
  /** Called now and then while that is copied. */
  readonly beat?: (() => void) | undefined;
}

/**
 * The formats that write the outputs of a job: its own, except that `auto` writes the main one where `run` reads the
 * records back.
 */
export function outputFormats(job: JobDefinition, spec: JobSpec): readonly OutputFormat<unknown>[] {
  return job.outputs.map(({ name, format }) => (spec.writes === "records" && name === "main" ? autoRecords : format));
}

export const formatsWrite = "write of the output's format";

export function recordEncoders(formats: readonly OutputFormat<unknown>[]): readonly RecordEncoder[] {
  return formats.map((format) => (record, out) => refusePromise<unknown>(format.write(record, out), formatsWrite));
}

export class StagedOutputs implements OutputSinks {
  readonly #options: StagedOutputsOptions;
  readonly #formats: readonly OutputFormat<unknown>[];
  readonly #writers: (PartWriter | undefined)[];

  constructor(options: StagedOutputsOptions, formats: readonly OutputFormat<unknown>[]) {
    this.#options = options;
    this.#formats = formats;
    this.#writers = formats.map(() => undefined);
    try {
      for (const { output } of options.from ?? [])
        this.#writer(options.job.outputs.findIndex((o) => o.name === output));
    } catch (thrown) {
      this.abort();
      throw thrown;
    }
  }

  get records(): number {
    return this.#writers.reduce((sum, writer) => sum + (writer?.records ?? 0), 0);
  }

  /** Opens the file of an output, even though nothing may ever be written to it. */
  open(output: number): void {
    this.#writer(output);
  }

  append(output: number, bytes: Uint8Array, start: number, end: number): void {
    this.#writer(output).append(bytes, start, end);
  }

  /** How lines may be written to an output without its format; undefined where only the format may write. */
  lineWriting(output: number): LineWriting | undefined {
    return this.#options.compressMember === undefined ? lineWriting(this.#formats[output]!) : undefined;
  }

  /** Appends lines as its format would write them. Called only where there is a `lineWriting`. */
  appendLines(output: number, bytes: Uint8Array, start: number, end: number, lines: number): void {
    this.#writer(output).appendAll(bytes, start, end, lines);
  }

  /** Encodes a record and writes it immediately: for callers that never take one back. */
  write(output: number, record: unknown): void {
    refusePromise(this.#writer(output).write(record), formatsWrite);
  }

  async finish(): Promise<StagedFile[]> {
    const staged: StagedFile[] = [];
    for (const writer of this.#writers) if (writer !== undefined) staged.push(await writer.finish());
    return staged;
  }

  abort(): void {
    for (const writer of this.#writers) writer?.abort();
  }

  /** Saves all records so far, for another attempt. */
  save(): SavedPart[] {
    return this.#writers.flatMap((writer) => writer?.save() ?? []);
  }

  /** Ends writing without removing what was saved. */
  leave(): void {
    for (const writer of this.#writers) writer?.leave();
  }

  #writer(output: number): PartWriter {
    return (this.#writers[output] ??= this.#open(output));
  }

  #open(output: number): PartWriter {
    const { job, spec, attempt, storage, isSavable, from, beat } = this.#options;
    const format = this.#formats[output]!;
    const { name } = job.outputs[output]!;
    const compress = format === autoRecords ? undefined : job.compress;
    return new PartWriter({
      storage,
      destination: spec.output,
      attempt,
      output: name,
      name: partName({
        output: name,
        named: job.outputsNamed,
        phase: attempt.phase,
        index: attempt.index,
        extension: format.extension,
        compress,
      }),
      format,
      compressMember: compress === undefined ? undefined : this.#options.compressMember,
      isSavable,
      from: from?.find((part) => part.output === name),
      beat,
    });
  }
}
