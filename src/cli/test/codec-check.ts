// Checks that every emitted key and value is read back from its bytes as it was, and gives the same bytes again.

import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { formatCounted } from "../../base/units.ts";
import { sameValue } from "../../base/value/same-value.ts";
import type { Codec } from "../../job/codec.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { describeThrown } from "../../job/thrown.ts";
import { type Check, failed, ok, skipped } from "./check.ts";

const name = "keys and values survive their codecs";

/** Pairs checked at most: checking one takes as long as emitting three. */
const pairsMax = 200_000;

export class CodecCheck {
  readonly #job: JobDefinition;
  readonly #scratch = new ByteBuffer();
  #pairs = 0;
  #problem: readonly string[] | undefined;

  constructor(job: JobDefinition) {
    this.#job = job;
  }

  /** Checks one pair. `keyBytes` and `valueBytes` are what its codecs wrote; they are valid during the call only. */
  add(key: unknown, keyBytes: Uint8Array, value: unknown, valueBytes: Uint8Array): void {
    if (this.#problem !== undefined || this.#pairs >= pairsMax) return;
    this.#pairs++;
    this.#problem =
      this.#problemOf("key", this.#job.key, key, keyBytes) ??
      this.#problemOf("value", this.#job.value, value, valueBytes);
  }

  result(): Check {
    if (this.#problem !== undefined) return failed(name, "one did not", this.#problem);
    if (this.#job.reducers === 0) return skipped(name, "the job has no reducers, and so no keys");
    return ok(name, formatCounted(this.#pairs, "pair"));
  }

  #problemOf(what: "key" | "value", codec: Codec<unknown>, value: unknown, encoded: Uint8Array): string[] | undefined {
    const bytes = new Uint8Array(encoded); // the codec may keep what it reads
    try {
      const back = codec.read(bytes);
      // What is read back of a value that an aggregate takes is its state.
      const isState = what === "value" && this.#job.aggregate !== undefined;
      if (!isState && !sameValue(value, back)) {
        return [
          `the ${what} that map emits      ${excerptOf(value)}`,
          `as combine and reduce get it  ${excerptOf(back)}`,
          `The ${what} codec loses something: write all of the value, or emit what the codec can hold.`,
        ];
      }
      this.#scratch.reset();
      codec.write(back, this.#scratch);
      if (Buffer.compare(bytes, this.#scratch.view()) === 0) return undefined;
      return [
        `the ${what} ${excerptOf(value)}`,
        `is written as ${excerptOf(Buffer.from(bytes).toString("hex"))}, and, read and written again, as ${excerptOf(this.#scratch.view().toString("hex"))}`,
        `One value must have one encoding: equal ${what}s with different bytes are not equal to the sort.`,
      ];
    } catch (thrown) {
      return [`the ${what} ${excerptOf(value)} can't be read back from its bytes: ${describeThrown(thrown).message}`];
    }
  }
}
