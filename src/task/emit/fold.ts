// A job's `combine` as the kernel wants it: on numbers where the value codec writes numbers, otherwise on encoded
// values.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import { formatCount } from "../../base/units.ts";
import type { Accumulator, StateAggregate } from "../../job/aggregate/aggregate.ts";
import { kernelColumns } from "../../job/aggregate/lower.ts";
import { f64Kind } from "../../job/codecs/facts.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { KernelFold } from "../../kernel/kernel.ts";
import { userFailure } from "../failure.ts";
import { refusePromise } from "../user/late-calls.ts";

type Call = (a: unknown, b: unknown) => unknown;

/**
 * Whether whole numbers are summed, so that of everything that is emitted only each key's sum matters (kernel.ts,
 * `sums`).
 */
export function isSummed({ combine, value }: JobDefinition): boolean {
  const kind = f64Kind(value);
  return combine?.kind === "sum" && (kind === "uint" || kind === "int");
}

/** What the user's function throws comes out of the kernel as a `TaskFailure`. */
export function kernelFold(job: JobDefinition): KernelFold | undefined {
  const { aggregate, combine, value } = job;
  if (aggregate !== undefined) return aggregateFold(aggregate);
  if (combine === undefined) return undefined;
  const kind = f64Kind(value);
  if (kind === undefined) return { on: "bytes", by: foldBytes(job, guarded(combine.call)) };
  const integers = kind !== "float64";
  if (combine.kind !== "function") return { on: "f64", by: combine.kind, integers };
  const call = guarded(combine.call);
  const by = (a: number, b: number): number => {
    const folded = call(a, b);
    // The kernel checks that the result is a number, and an integer where it has to be.
    if (kind === "uint" && typeof folded === "number" && folded < 0) {
      throw new MillraceError(
        "wrong-value",
        `combine of ${a} and ${b} is ${folded}, and the value codec is uint: use int`,
      );
    }
    return folded as number;
  };
  return { on: "f64", by, integers };
}

/**
 * Merges states of one key from left to right into one accumulator, which becomes bytes when the key's last value is
 * there: a list that grows is not written again with each of its values. States that are columns of numbers and nothing
 * else are merged in the kernel.
 */
function aggregateFold(aggregate: StateAggregate): KernelFold {
  const guard = <T>(call: () => T): T => {
    try {
      return call();
    } catch (thrown) {
      throw userFailure(thrown, { where: aggregate.name, excerpt: aggregate.name });
    }
  };
  const buffer = new ByteBuffer();
  let accumulator: Accumulator | undefined;
  return {
    on: "bytes",
    columns: kernelColumns(aggregate),
    by: (a, b) =>
      guard(() => {
        let into = a === underWay ? accumulator : undefined;
        if (into === undefined) {
          into = accumulator = aggregate.begin();
          into.add(a, 0, a.length);
        }
        into.add(b, 0, b.length);
        return underWay;
      }),
    settle: (folded) =>
      guard(() => {
        if (folded !== underWay || accumulator === undefined) return folded;
        buffer.reset();
        accumulator.write(buffer);
        accumulator = undefined;
        if (buffer.length > limits.valueBytesMax) {
          throw new MillraceError(
            "over-limit",
            `${aggregate.name}: the state of one key has ${formatCount(buffer.length)} bytes, where at most ${formatCount(limits.valueBytesMax)} are allowed`,
          );
        }
        return new Uint8Array(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.length);
      }),
  };
}

/** Stands for the accumulator, in the place of its bytes. */
const underWay = new Uint8Array(0);

function foldBytes(job: JobDefinition, call: Call): (a: Uint8Array, b: Uint8Array) => Uint8Array {
  // Two buffers in turn, as the left argument may be a view of the previous result.
  let buffer = new ByteBuffer();
  let other = new ByteBuffer();
  return (a, b) => {
    const left = job.value.read(a);
    const right = job.value.read(b);
    const folded = call(left, right);
    [buffer, other] = [other, buffer];
    buffer.reset();
    try {
      job.value.write(folded, buffer);
    } catch (thrown) {
      throw userFailure(thrown, { where: "combine", excerpt: excerptOf(folded) });
    }
    if (buffer.length > limits.valueBytesMax) {
      throw new MillraceError(
        "over-limit",
        `combine made a value of ${formatCount(buffer.length)} bytes, where at most ${formatCount(limits.valueBytesMax)} are allowed: ${excerptOf(folded)}`,
      );
    }
    // Not a Buffer, whose `slice` does not copy.
    return new Uint8Array(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.length);
  };
}

function guarded(call: Call): Call {
  return (a, b) => {
    try {
      return refusePromise(call(a, b), "combine");
    } catch (thrown) {
      throw userFailure(thrown, { where: "combine", excerpt: `${excerptOf(a)} and ${excerptOf(b)}` });
    }
  };
}
