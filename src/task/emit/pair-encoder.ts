// One pair as bytes, by the job's codecs: the careful path of emit, taken by all pairs that the fast one refuses. Its
// errors are the errors that users see.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits, MiB } from "../../base/limits.ts";
import { formatCount } from "../../base/units.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { Codec } from "../../job/types.ts";
import { isA } from "../failure.ts";
import { isRefusal, refusePromise } from "../user/late-calls.ts";

/**
 * Encodes one pair at a time into `bytes`: the key is bytes[0, keyEnd), the value bytes[keyEnd, end). Both are
 * overwritten by the next pair.
 */
export class PairEncoder {
  readonly key: Codec<unknown>;
  readonly value: Codec<unknown>;
  /** The partition of a key by the job's own function, checked; undefined where the kernel partitions. */
  readonly choose: ((key: unknown) => number) | undefined;
  #buffer = new ByteBuffer();
  keyEnd = 0;
  /** 0 where the kernel partitions. */
  partition = 0;

  constructor(job: JobDefinition, partitions: number) {
    this.key = job.key;
    this.value = job.value;
    this.choose = partitionChooser(job, partitions);
  }

  get bytes(): Uint8Array {
    return this.#buffer.bytes;
  }

  /** Views for a kernel, which may call `slice`: on a Buffer that would make no copy. */
  get keyView(): Uint8Array {
    const { buffer, byteOffset } = this.#buffer.bytes;
    return new Uint8Array(buffer, byteOffset, this.keyEnd);
  }

  get valueView(): Uint8Array {
    const { buffer, byteOffset } = this.#buffer.bytes;
    return new Uint8Array(buffer, byteOffset + this.keyEnd, this.end - this.keyEnd);
  }

  get end(): number {
    return this.#buffer.length;
  }

  /**
   * Encodes a pair. Throws what the codecs throw, naming the key, `over-limit`, and what a wrong partition function
   * deserves.
   */
  encode(key: unknown, value: unknown): void {
    if (this.#buffer.bytes.length > 4 * MiB) this.#buffer = new ByteBuffer(); // one huge pair does not stay for ever
    const buffer = this.#buffer;
    buffer.reset();
    try {
      refusePromise<unknown>(this.key.write(key, buffer), "write of the key's codec");
    } catch (thrown) {
      throw named(thrown, `in the emitted key ${excerptOf(key)}`);
    }
    this.keyEnd = buffer.length;
    if (buffer.length > limits.keyBytesMax) {
      throw new MillraceError(
        "over-limit",
        `a key of ${formatCount(buffer.length)} bytes, where at most ${formatCount(limits.keyBytesMax)} are allowed: ${excerptOf(key)}. Put what is long into the value, or use a digest of it as the key`,
      );
    }
    try {
      refusePromise<unknown>(this.value.write(value, buffer), "write of the value's codec");
    } catch (thrown) {
      throw named(thrown, `in the value emitted for the key ${excerptOf(key)}`);
    }
    if (buffer.length - this.keyEnd > limits.valueBytesMax) {
      throw new MillraceError(
        "over-limit",
        `a value of ${formatCount(buffer.length - this.keyEnd)} bytes for the key ${excerptOf(key)}, where at most ${formatCount(limits.valueBytesMax)} are allowed. Emit it in parts`,
      );
    }
    this.partition = this.choose === undefined ? 0 : this.choose(key);
  }

  /** Appends the encoded pair, framed as in the kernel's batch. */
  frame(to: ByteBuffer): void {
    if (this.choose !== undefined) {
      for (let shift = 0; shift < 32; shift += 8) to.writeUint8((this.partition >>> shift) & 255);
    }
    to.writeVarint(this.keyEnd);
    to.writeVarint(this.end - this.keyEnd);
    to.writeBytes(this.#buffer.view());
  }
}

/** Our own errors say which pair they are about; what a user's codec throws stays as it is. */
function named(thrown: unknown, where: string): unknown {
  if (!isA(thrown, MillraceError) || isRefusal(thrown)) return thrown;
  return new MillraceError(thrown.code, `${thrown.message} (${where})`, { retry: thrown.retry, cause: thrown });
}

function partitionChooser(job: JobDefinition, partitions: number): ((key: unknown) => number) | undefined {
  if (job.partition.kind !== "function") return undefined;
  const { choose } = job.partition;
  const { group } = job;
  return (key) => {
    const grouped = group === undefined ? key : group.of(key);
    const partition: unknown = refusePromise(choose(grouped, partitions), "partition");
    if (typeof partition === "number" && partition >= 0 && partition < partitions && Number.isInteger(partition)) {
      return partition + 0; // -0 is 0
    }
    throw new MillraceError(
      "wrong-value",
      `partition returned ${excerptOf(partition)} for the key ${excerptOf(key)}; it must return an integer from 0 to ${partitions - 1}`,
    );
  };
}
