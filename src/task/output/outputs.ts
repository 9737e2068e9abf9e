// Records of the outputs, from `emit` of a map-only job or of reduce and from `emit.to`. They are encoded immediately,
// because user code may change what it emitted, and handed on when the record that emitted them counts.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { MiB } from "../../base/limits.ts";
import type { JobDefinition } from "../../job/definition.ts";

/** Writes one record of an output, as its format does or as the task's environment wants it. */
export type RecordEncoder = (record: unknown, out: ByteBuffer) => void;

/** Takes encoded records, one at a time: the staged files of an attempt, or a list in memory. */
export interface OutputSinks {
  /**
   * Takes one record of the output with this index in `JobDefinition.outputs`. The bytes are valid only during the
   * call.
   */
  append(output: number, bytes: Uint8Array, start: number, end: number): void;
}

/** The outputs of a job by name, each with its encoder. */
export interface OutputTable {
  readonly encoders: readonly RecordEncoder[];
  /** The index of a named output. Throws `user-error` for a name that the job does not have, and for `main`. */
  indexOf(name: unknown): number;
}

export function outputTable(job: JobDefinition, encoders: readonly RecordEncoder[]): OutputTable {
  const indexes = new Map(job.outputs.map((output, index) => [output.name, index]));
  return {
    encoders,
    indexOf(name) {
      const index = typeof name === "string" && job.outputsNamed && name !== "main" ? indexes.get(name) : undefined;
      if (index !== undefined) return index;
      const others = job.outputsNamed
        ? job.outputs.map((output) => output.name).filter((other) => other !== "main")
        : [];
      throw new MillraceError(
        "user-error",
        `emit.to(${excerptOf(name)}): the job has no other output of that name (${others.length === 0 ? "none" : others.join(", ")})`,
      );
    },
  };
}

/** Records emitted by one call of user code that do not count yet. */
export class PendingRecords {
  readonly #table: OutputTable;
  /** Encoded records, one after the other. */
  #buffer: ByteBuffer | undefined;
  readonly #outputs: number[] = [];
  readonly #ends: number[] = [];

  constructor(table: OutputTable) {
    this.#table = table;
  }

  get bytes(): number {
    return this.#buffer?.length ?? 0;
  }

  /** Adds a record. Throws what the format throws; then nothing was added. */
  add(output: number, record: unknown): void {
    const buffer = (this.#buffer ??= new ByteBuffer(256));
    const start = buffer.length;
    try {
      this.#table.encoders[output]!(record, buffer);
    } catch (thrown) {
      buffer.length = start;
      throw thrown;
    }
    this.#outputs.push(output);
    this.#ends.push(buffer.length);
  }

  addTo(name: unknown, record: unknown): void {
    this.add(this.#table.indexOf(name), record);
  }

  /** Hands all records on, in the order in which they were emitted, and is empty then. */
  commit(sinks: OutputSinks): void {
    if (this.#buffer === undefined) return;
    const { bytes } = this.#buffer;
    let start = 0;
    for (let i = 0; i < this.#ends.length; i++) {
      const end = this.#ends[i]!;
      sinks.append(this.#outputs[i]!, bytes, start, end);
      start = end;
    }
    this.discard();
  }

  discard(): void {
    this.#outputs.length = 0;
    this.#ends.length = 0;
    this.#buffer?.reset();
    if (this.#buffer !== undefined && this.#buffer.bytes.length > 4 * MiB) this.#buffer = undefined; // not for ever
  }
}
