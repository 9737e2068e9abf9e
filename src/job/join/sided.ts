// The values of a join's job: a record and the side it is from. Bytes: 0 for left or 1 for right, and the record.
import { MillraceError } from "../../base/error.ts";
import type { Codec } from "../codec.ts";
import { recordCodec } from "../codecs/auto.ts";
import { builtIn } from "../codecs/facts.ts";
import type { SideOf } from "./sides.ts";

export interface Sided {
  readonly side: SideOf;
  /** Null where the kind of join needs no more than that there is one. */
  readonly record: unknown;
  /** How many bytes it was read from; 0 before it was written. */
  readonly bytes: number;
}

export const sidedCodec: Codec<Sided> = builtIn<Codec<Sided>>(
  {
    ordered: false,
    write({ side, record }, out) {
      out.writeUint8(side === "left" ? 0 : 1);
      try {
        recordCodec.write(record, out);
      } catch (thrown) {
        if (!(thrown instanceof MillraceError)) throw thrown;
        throw new MillraceError(thrown.code, `a record of the ${side} side: ${thrown.message}`, { cause: thrown });
      }
    },
    read: (bytes) => ({
      side: bytes[0] === 0 ? "left" : "right",
      record: recordCodec.read(bytes.subarray(1)),
      bytes: bytes.length,
    }),
  },
  { name: "records of a join" },
);
