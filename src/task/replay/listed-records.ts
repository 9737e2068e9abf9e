// The records that replayed code emits, to be shown.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import type { Codec } from "../../job/codec.ts";
import { autoValue } from "../../job/codecs/auto.ts";
import { isA } from "../failure.ts";

export class ListedRecords {
  /** At most `limits.replayListedMax`. */
  readonly listed: { readonly output: string; readonly record: unknown }[] = [];
  /** The number of all records by their outputs. */
  readonly counts = new Map<string, number>();
  readonly #scratch = new ByteBuffer();

  add(output: string, record: unknown): void {
    this.counts.set(output, (this.counts.get(output) ?? 0) + 1);
    if (this.listed.length < limits.replayListedMax) this.listed.push({ output, record: this.#copy(record) });
  }

  /** A copy, as the job's code may change what it has emitted; or the record where only its format can write it. */
  #copy(record: unknown): unknown {
    const codec = autoValue as Codec<unknown>;
    try {
      this.#scratch.reset();
      codec.write(record, this.#scratch);
    } catch (thrown) {
      if (isA(thrown, MillraceError)) return record;
      throw thrown;
    }
    return codec.read(this.#scratch.copy());
  }
}
