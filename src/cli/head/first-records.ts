// The first records of a content as a format sees them, bad ones too.
import { limits } from "../../base/limits.ts";
import { BadRecord, type InputFormat } from "../../format/format.ts";
import type { Content } from "../../guess/content.ts";

export type SeenRecord =
  | { readonly kind: "record"; readonly start: number; readonly record: unknown }
  | { readonly kind: "bad"; readonly start: number; readonly message: string; readonly bytes: Uint8Array };

/** Yields at most `count` of them. Reading ends behind a bad record where the format can't go on. */
export async function* firstRecords(
  content: Content,
  format: InputFormat<unknown>,
  count: number,
): AsyncGenerator<SeenRecord, void, undefined> {
  const { bytes: head } = await content.beginning(limits.headBytes);
  let left = count;
  for (let from = 0; left > 0; ) {
    try {
      for await (const batch of format.read(content.from(from), { start: from, end: Number.POSITIVE_INFINITY, head })) {
        for (const [i, record] of batch.records.entries()) {
          yield { kind: "record", start: batch.starts[i]!, record };
          if (--left === 0) return;
        }
        content.release(batch.end);
      }
      return;
    } catch (thrown) {
      if (!(thrown instanceof BadRecord)) throw thrown;
      yield { kind: "bad", start: thrown.start, message: thrown.message, bytes: thrown.bytes };
      left--;
      if (thrown.end === undefined) return;
      from = thrown.end;
    }
  }
}
